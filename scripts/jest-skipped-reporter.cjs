/** Names at the end of a run what was skipped and why: each suite whose name ends in `(skipped: reason)`. */
module.exports = class JestSkippedReporter {
  /** @param {unknown} _contexts @param {{testResults: {testResults: {status: string, ancestorTitles: string[], title: string}[]}[]}} results */
  onRunComplete(_contexts, results) {
    const skipped = new Map();
    for (const { status, ancestorTitles, title } of results.testResults.flatMap((file) => file.testResults)) {
      const named = [...ancestorTitles, title].find((name) => /\(skipped: .*\)$/.test(name));
      if (status === 'pending' && named !== undefined) skipped.set(named, (skipped.get(named) ?? 0) + 1);
    }
    for (const [name, tests] of skipped) {
      const [, what, reason] = /^(.*) \(skipped: (.*)\)$/.exec(name) ?? [];
      process.stderr.write(`Skipped: ${what}, ${tests} tests: ${reason}\n`);
    }
  }
};
