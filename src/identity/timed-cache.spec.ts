import { TimedCache } from './timed-cache';

function clock(): { now: number; read: () => number } {
  const state = { now: 0, read: () => state.now };
  return state;
}

describe('TimedCache', () => {
  it('loads once within the lifetime, also for concurrent callers', async () => {
    const time = clock();
    const cache = new TimedCache<number>(100, 10, time.read);
    const load = jest.fn(async () => 1);
    await Promise.all([cache.get('a', load), cache.get('a', load)]);
    time.now = 99;
    await cache.get('a', load);
    expect(load).toHaveBeenCalledTimes(1);
    time.now = 101;
    await cache.get('a', load);
    expect(load).toHaveBeenCalledTimes(2);
  });

  it('does not remember what was being read when it was cleared', async () => {
    const cache = new TimedCache<string>(100, 10, clock().read);
    let finish: (value: string) => void = () => undefined;
    const stale = cache.get('a', () => new Promise((resolve) => (finish = resolve)));
    cache.clear();
    finish('stale');
    await stale;
    await expect(cache.get('a', async () => 'fresh')).resolves.toBe('fresh');
  });

  it('does not remember failures', async () => {
    const cache = new TimedCache<string>(100, 10, clock().read);
    await expect(cache.get('a', () => Promise.reject(new Error('down')))).rejects.toThrow('down');
    await expect(cache.get('a', async () => 'up')).resolves.toBe('up');
  });

  it('drops the oldest entry beyond its capacity', async () => {
    const cache = new TimedCache<string>(100, 2, clock().read);
    for (const key of ['a', 'b', 'c']) {
      await cache.get(key, async () => key);
    }
    const load = jest.fn(async () => 'again');
    await cache.get('b', load);
    await cache.get('c', load);
    expect(load).not.toHaveBeenCalled();
    await cache.get('a', load);
    expect(load).toHaveBeenCalledTimes(1);
  });
});
