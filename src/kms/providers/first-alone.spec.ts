import { FirstAlone } from './first-alone';

describe('FirstAlone', () => {
  it('runs one call at a time until one succeeds, and all at once from then on', async () => {
    const gate = new FirstAlone();
    let running = 0;
    let most = 0;
    const call = (fails: boolean) => (): Promise<string> =>
      gate.run(async () => {
        most = Math.max(most, ++running);
        await Promise.resolve();
        running--;
        if (fails) {
          throw new Error('failed');
        }
        return 'done';
      });
    const failing = await Promise.allSettled([call(true), call(true), call(true)].map((run) => run()));
    expect(failing.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(most).toBe(1);
    await call(false)();
    await Promise.all([call(false), call(true), call(false)].map((run) => run().catch(() => undefined)));
    expect(most).toBe(3);
  });
});
