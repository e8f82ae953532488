import { Bulkhead } from './bulkhead';

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('Bulkhead', () => {
  it('frees the place of a caller that gave up waiting, and admits the next in order', async () => {
    const bulkhead = new Bulkhead(1, 2);
    const [first, second, third] = [new AbortController(), new AbortController(), new AbortController()];
    await bulkhead.acquire(first.signal);
    const impatient = bulkhead.acquire(second.signal);
    let admitted = false;
    const patient = bulkhead.acquire(third.signal).then(() => (admitted = true));
    second.abort(new Error('gave up'));
    await expect(impatient).rejects.toThrow('gave up');
    await settled();
    expect(admitted).toBe(false);
    bulkhead.release();
    await patient;
    bulkhead.release();
    await expect(bulkhead.acquire(first.signal)).resolves.toBeUndefined();
  });

  it('admits nobody whose time is over already', async () => {
    await expect(new Bulkhead(1, 1).acquire(AbortSignal.abort(new Error('late')))).rejects.toThrow('late');
  });

  it('refuses callers beyond the queue', async () => {
    const bulkhead = new Bulkhead(1, 0);
    const { signal } = new AbortController();
    await bulkhead.acquire(signal);
    await expect(bulkhead.acquire(signal)).rejects.toMatchObject({ kind: 'kms-throttled' });
  });
});
