const { appendFileSync } = require('node:fs');

/**
 * Sums a jest run up in one line, `123 passed, 0 failed, 4 skipped`, added to JEST_COUNTS_FILE, or written to standard output
 * without it. A suite that could not even be loaded counts as one failure.
 */
module.exports = class JestCountReporter {
  /** @param {unknown} _contexts @param {{numPassedTests: number, numFailedTests: number, numPendingTests: number, numRuntimeErrorTestSuites: number}} results */
  onRunComplete(_contexts, results) {
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const line = `${results.numPassedTests} passed, ${failed} failed, ${results.numPendingTests} skipped\n`;
    const file = process.env.JEST_COUNTS_FILE;
    if (file) appendFileSync(file, line);
    else process.stdout.write(line);
  }
};
