import { DataKeyCache } from './data-key-cache';
import type { WrappedDataKey } from './data-keys';

const CONTEXT = Buffer.from('{"bucket":"b/k"}');

function wrapped(ciphertext: string, keyId = 'key', kms = 'vault:default'): WrappedDataKey {
  return { kms, keyId, ciphertext: Buffer.from(ciphertext) };
}

function loader(byte = 7): jest.Mock<Promise<Buffer>, []> {
  return jest.fn(() => Promise.resolve(Buffer.alloc(32, byte)));
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('DataKeyCache', () => {
  let now: number;
  let cache: DataKeyCache;

  beforeEach(() => {
    now = 1_000;
    cache = new DataKeyCache({ maxEntries: 2, ttl: 100 }, () => now);
  });

  afterEach(() => cache.close());

  it('loads once, and gives every caller a copy of its own', async () => {
    const load = loader();
    const first = await cache.get(wrapped('c'), CONTEXT, load);
    first.fill(0);
    const second = await cache.get(wrapped('c'), CONTEXT, load);
    expect(second).toEqual(Buffer.alloc(32, 7));
    expect(load).toHaveBeenCalledTimes(1);
  });

  it('shares one load among concurrent callers, whose copies survive the zeroing of the original', async () => {
    const original = Buffer.alloc(32, 7);
    let deliver: (plaintext: Buffer) => void = () => undefined;
    const load = jest.fn(() => new Promise<Buffer>((resolve) => (deliver = resolve)));
    const waiting = Promise.all([1, 2, 3].map(() => cache.get(wrapped('c'), CONTEXT, load)));
    deliver(original);
    const copies = await waiting;
    await settled();
    expect(load).toHaveBeenCalledTimes(1);
    expect(copies).toEqual([1, 2, 3].map(() => Buffer.alloc(32, 7)));
    expect(new Set(copies).size).toBe(3);
    expect(original).toEqual(Buffer.alloc(32));
  });

  it.each<[string, WrappedDataKey, Buffer]>([
    ['ciphertext', wrapped('d'), CONTEXT],
    ['context', wrapped('c'), Buffer.from('{}')],
    ['key', wrapped('c', 'other'), CONTEXT],
    ['KMS', wrapped('c', 'key', 'vault:eu'), CONTEXT],
  ])('never answers for another %s', async (_what, other, context) => {
    await cache.get(wrapped('c'), CONTEXT, loader());
    const load = loader(9);
    expect(await cache.get(other, context, load)).toEqual(Buffer.alloc(32, 9));
    expect(load).toHaveBeenCalledTimes(1);
  });

  it('asks again when the time is up, and zeroes what it drops', async () => {
    const fill = jest.spyOn(Buffer.prototype, 'fill');
    try {
      await cache.get(wrapped('c'), CONTEXT, loader());
      await settled();
      fill.mockClear();
      now += 101;
      cache.purge();
      expect(cache.size).toBe(0);
      expect(fill).toHaveBeenCalledWith(0);
    } finally {
      fill.mockRestore();
    }
    const load = loader();
    await cache.get(wrapped('c'), CONTEXT, load);
    expect(load).toHaveBeenCalledTimes(1);
  });

  it('keeps no more than its bound, the least used going first', async () => {
    for (const text of ['a', 'b', 'c']) {
      await cache.get(wrapped(text), CONTEXT, loader());
    }
    expect(cache.size).toBe(2);
    const load = loader();
    await cache.get(wrapped('c'), CONTEXT, load);
    expect(load).not.toHaveBeenCalled();
    await cache.get(wrapped('a'), CONTEXT, load);
    expect(load).toHaveBeenCalledTimes(1);
  });

  it('does not remember failures', async () => {
    await expect(cache.get(wrapped('c'), CONTEXT, () => Promise.reject(new Error('down')))).rejects.toThrow('down');
    expect(await cache.get(wrapped('c'), CONTEXT, loader())).toEqual(Buffer.alloc(32, 7));
  });

  it('forgets one key, or all keys of a target', async () => {
    cache.configure({ maxEntries: 10, ttl: 100 });
    await cache.get(wrapped('a', 'one'), CONTEXT, loader());
    await cache.get(wrapped('b', 'two'), CONTEXT, loader());
    await cache.get(wrapped('c', 'one', 'builtin:default'), CONTEXT, loader());
    cache.invalidate('vault:default', 'one');
    expect(cache.size).toBe(2);
    cache.invalidate('vault:default');
    expect(cache.size).toBe(1);
  });

  it('does not keep, nor hand to new callers, an answer that was under way when the key was invalidated', async () => {
    let deliver: (plaintext: Buffer) => void = () => undefined;
    const early = cache.get(wrapped('c'), CONTEXT, () => new Promise((resolve) => (deliver = resolve)));
    cache.invalidate('vault:default', 'key');
    const load = loader(9);
    const late = await cache.get(wrapped('c'), CONTEXT, load);
    deliver(Buffer.alloc(32, 7));
    expect(await early).toEqual(Buffer.alloc(32, 7));
    expect(late).toEqual(Buffer.alloc(32, 9));
    expect(await cache.get(wrapped('c'), CONTEXT, load)).toEqual(Buffer.alloc(32, 9));
    expect(load).toHaveBeenCalledTimes(1);
  });

  it('is off at size 0', async () => {
    cache.configure({ maxEntries: 0, ttl: 100 });
    const load = loader();
    await cache.get(wrapped('c'), CONTEXT, load);
    await cache.get(wrapped('c'), CONTEXT, load);
    expect(load).toHaveBeenCalledTimes(2);
    expect(cache.size).toBe(0);
  });
});
