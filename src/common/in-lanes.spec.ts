import { settleInLanes } from './in-lanes';

describe('working in lanes', () => {
  it('keeps to the number of lanes and gives every outcome its place', async () => {
    let busy = 0;
    let most = 0;
    const outcomes = await settleInLanes([5, 4, 3, 2, 1], 2, async (item) => {
      most = Math.max(most, ++busy);
      for (let turn = 0; turn < item; turn++) {
        await Promise.resolve();
      }
      busy--;
      if (item === 3) {
        throw new Error('three');
      }
      return item * 10;
    });
    expect(most).toBe(2);
    expect(outcomes).toEqual([
      { status: 'fulfilled', value: 50 },
      { status: 'fulfilled', value: 40 },
      { status: 'rejected', reason: new Error('three') },
      { status: 'fulfilled', value: 20 },
      { status: 'fulfilled', value: 10 },
    ]);
    expect(await settleInLanes([], 4, () => Promise.reject(new Error('never')))).toEqual([]);
  });
});
