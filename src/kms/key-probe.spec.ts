import { KeyProbe, type ProbedTarget } from './key-probe';
import { KmsError } from './kms-error';
import type { KmsProvider } from './kms-provider';

const INTERVAL = 30_000;

/** A target whose key works, or fails as told, and a clock that stands until moved. */
function scene() {
  const state: { failure: KmsError | undefined; wrongKey: boolean; now: number; calls: number } = {
    failure: undefined,
    wrongKey: false,
    now: 0,
    calls: 0,
  };
  const made: Buffer[] = [];
  const provider = {
    type: 'vault',
    defaultKeyId: 'objects',
    generateDataKey: () => {
      state.calls += 1;
      const plaintext = Buffer.alloc(32, 1);
      made.push(plaintext);
      return Promise.resolve({ plaintext, ciphertext: Buffer.from('wrapped'), keyVersion: '1' });
    },
    decryptDataKey: () => {
      const opened = Buffer.alloc(32, state.wrongKey ? 2 : 1);
      made.push(opened);
      return Promise.resolve(opened);
    },
  } as unknown as KmsProvider;
  const target: ProbedTarget = {
    name: 'default',
    provider,
    call: (_operation, work) =>
      state.failure === undefined ? work(provider, AbortSignal.timeout(1_000)) : Promise.reject(state.failure),
  };
  const probe = new KeyProbe(target, () => state.now);
  const after = async (milliseconds: number, troubled = false): Promise<void> => {
    state.now += milliseconds;
    await probe.tick(INTERVAL, troubled);
  };
  return { state, made, probe, after };
}

const UNREACHABLE = new KmsError('kms-unavailable', 'away');

describe('the proof of a key', () => {
  it('passes when the key made is the key opened, and leaves neither behind', async () => {
    const { probe, made, after } = scene();
    expect(probe.status().state).toBe('unknown');
    await after(INTERVAL);
    expect(probe.status()).toMatchObject({
      state: 'passing',
      consecutiveFailures: 0,
      lastSuccess: expect.any(Date) as Date,
    });
    expect(made).toHaveLength(2);
    expect(made.every((key) => key.equals(Buffer.alloc(32)))).toBe(true);
  });

  it('comes once an interval', async () => {
    const { state, after } = scene();
    await after(INTERVAL - 1);
    expect(state.calls).toBe(0);
    await after(1);
    await after(INTERVAL - 1);
    expect(state.calls).toBe(1);
  });

  it('fails after three rounds in a row, which follow each other faster, and recovers with one', async () => {
    const { state, probe, after } = scene();
    await after(INTERVAL);
    state.failure = UNREACHABLE;
    await after(INTERVAL);
    await after(5_000);
    expect(probe.status()).toMatchObject({ state: 'passing', consecutiveFailures: 2, lastError: 'kms-unavailable' });
    await after(5_000);
    expect(probe.status()).toMatchObject({ state: 'failing', consecutiveFailures: 3 });
    state.failure = undefined;
    await after(5_000);
    expect(probe.status()).toMatchObject({ state: 'passing', consecutiveFailures: 0, lastError: undefined });
  });

  it('comes sooner when calls have failed', async () => {
    const { state, after } = scene();
    await after(5_000, true);
    expect(state.calls).toBe(1);
  });

  it('notices a KMS that gives back another key', async () => {
    const { state, probe, after } = scene();
    state.wrongKey = true;
    await after(INTERVAL);
    expect(probe.status()).toMatchObject({ consecutiveFailures: 1, lastError: 'kms-invalid-ciphertext' });
  });

  it('says nothing once it is outdated or switched off', async () => {
    const { state, probe, after } = scene();
    await after(INTERVAL);
    state.now += 3 * INTERVAL + 1;
    expect(probe.status().state).toBe('unknown');
    await after(0);
    expect(probe.status().state).toBe('passing');
    await probe.tick(0, false);
    expect(probe.status().state).toBe('unknown');
    state.now += 100 * INTERVAL;
    await probe.tick(0, true);
    expect(state.calls).toBe(2);
  });
});
