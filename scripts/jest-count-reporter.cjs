const { writeFileSync } = require('node:fs');

/**
 * Sums a jest run up in one line, `123 passed, 0 failed`, written to JEST_COUNTS_FILE, or to standard output without it.
 * A suite that could not even be loaded counts as one failure.
 */
module.exports = class JestCountReporter {
  /** @param {unknown} _contexts @param {{numPassedTests: number, numFailedTests: number, numRuntimeErrorTestSuites: number}} results */
  onRunComplete(_contexts, results) {
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const line = `${results.numPassedTests} passed, ${failed} failed\n`;
    const file = process.env.JEST_COUNTS_FILE;
    if (file) writeFileSync(file, line);
    else process.stdout.write(line);
  }
};
