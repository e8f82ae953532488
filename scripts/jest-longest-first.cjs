const { default: Sequencer } = require('@jest/test-sequencer');

/** What starts processes of its own takes longest, however short its source is. */
const LONGEST = ['/test/clients/', '/test/integration/'];

/**
 * Jest's own order, by the durations of earlier runs; where there are none, as in a fresh clone, the folders of the longest
 * tests come first, so that no worker is left with one of them at the end.
 */
module.exports = class JestLongestFirst extends Sequencer {
  /** @param {Iterable<{path: string, duration?: number}>} tests */
  sort(tests) {
    const order = super.sort(tests);
    if (order.some(({ duration }) => duration !== undefined)) return order;
    const rank = ({ path }) =>
      (LONGEST.findIndex((folder) => path.includes(folder)) + LONGEST.length + 1) % (LONGEST.length + 1);
    return order.sort((a, b) => rank(a) - rank(b));
  }
};
