import { DEFAULT_CALL_POLICY, KmsCallPolicy, type CallPolicyOptions } from './kms-call-policy';
import { KmsError, type KmsErrorKind } from './kms-error';

const FAST: CallPolicyOptions = { ...DEFAULT_CALL_POLICY, maxRetries: 0, backoffBase: 0, backoffCap: 0 };

function failing(kind: KmsErrorKind): () => Promise<never> {
  return () => Promise.reject(new KmsError(kind, 'scripted'));
}

describe('KmsCallPolicy', () => {
  let clock: number;
  const build = (options: Partial<CallPolicyOptions>, states: string[] = []): KmsCallPolicy =>
    new KmsCallPolicy('vault:test', 'vault', { ...FAST, ...options }, (state) => states.push(state), {
      now: () => clock,
      random: () => 0,
    });

  beforeEach(() => {
    clock = 0;
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it.each<[KmsErrorKind, 'decrypt' | 'create', number]>([
    ['kms-unavailable', 'decrypt', 4],
    ['kms-timeout', 'decrypt', 4],
    ['kms-sealed', 'decrypt', 4],
    ['kms-throttled', 'decrypt', 4],
    ['kms-access-denied', 'decrypt', 1],
    ['kms-invalid-ciphertext', 'decrypt', 1],
    ['kms-key-not-found', 'decrypt', 1],
    ['kms-protocol', 'decrypt', 1],
    // A mutation may have happened although its answer was lost.
    ['kms-unavailable', 'create', 1],
    ['kms-timeout', 'create', 1],
    ['kms-throttled', 'create', 4],
  ])('on %s tries a %s %i times', async (kind, operation, attempts) => {
    const call = jest.fn(failing(kind));
    await expect(build({ maxRetries: 3, breakerThreshold: 100 }).run(operation, call)).rejects.toMatchObject({ kind });
    expect(call).toHaveBeenCalledTimes(attempts);
  });

  it('returns the result of the attempt that worked', async () => {
    const call = jest
      .fn<Promise<string>, []>()
      .mockImplementationOnce(failing('kms-unavailable'))
      .mockResolvedValueOnce('key');
    await expect(build({ maxRetries: 1 }).run('generate', call)).resolves.toBe('key');
  });

  it('turns what is no KmsError into one that fails closed', async () => {
    const call = (): Promise<never> => Promise.reject(new TypeError('secret detail'));
    await expect(build({}).run('generate', call)).rejects.toMatchObject({ kind: 'kms-protocol', retryable: false });
  });

  it('abandons an attempt that ignores its signal, and hands its late result over for disposal', async () => {
    jest.useFakeTimers();
    let finish: (value: Buffer) => void = () => undefined;
    const discard = jest.fn();
    const seen: AbortSignal[] = [];
    const running = build({ attemptTimeout: 50 }).run(
      'generate',
      (signal) => {
        seen.push(signal);
        return new Promise<Buffer>((resolve) => (finish = resolve));
      },
      discard,
    );
    const outcome = expect(running).rejects.toMatchObject({ kind: 'kms-timeout' });
    await jest.advanceTimersByTimeAsync(51);
    await outcome;
    expect(seen[0]?.aborted).toBe(true);
    const late = Buffer.alloc(32, 1);
    finish(late);
    await jest.advanceTimersByTimeAsync(0);
    expect(discard).toHaveBeenCalledWith(late);
  });

  it('ends all attempts together at the deadline', async () => {
    jest.useFakeTimers();
    const call = jest.fn(() => new Promise<never>(() => undefined));
    const running = build({ attemptTimeout: 40, deadline: 100, maxRetries: 10, breakerThreshold: 100 }).run(
      'decrypt',
      call,
    );
    const outcome = expect(running).rejects.toMatchObject({ kind: 'kms-timeout' });
    await jest.advanceTimersByTimeAsync(101);
    await outcome;
    expect(call).toHaveBeenCalledTimes(3);
  });

  it('backs off exponentially, half of it by chance, up to the cap', async () => {
    jest.useFakeTimers();
    const starts: number[] = [];
    const policy = build({ maxRetries: 3, backoffBase: 100, backoffCap: 250, breakerThreshold: 100 });
    const begun = Date.now();
    const running = policy.run('decrypt', () => {
      starts.push(Date.now() - begun);
      return failing('kms-unavailable')();
    });
    const outcome = expect(running).rejects.toBeInstanceOf(KmsError);
    await jest.advanceTimersByTimeAsync(1_000);
    await outcome;
    expect(starts).toEqual([0, 50, 150, 275]);
  });

  it('opens after consecutive failures of the service, fails fast, tries once after the cool-down, and closes', async () => {
    const states: string[] = [];
    const policy = build({ breakerThreshold: 3, breakerCoolDown: 1_000 }, states);
    for (let i = 0; i < 3; i++) {
      await expect(policy.run('decrypt', failing('kms-unavailable'))).rejects.toBeInstanceOf(KmsError);
    }
    const call = jest.fn(() => Promise.resolve('key'));
    await expect(policy.run('decrypt', call)).rejects.toMatchObject({ kind: 'kms-unavailable' });
    expect(call).not.toHaveBeenCalled();

    clock = 1_000;
    expect(policy.breakerState).toBe('half-open');
    let release: (value: string) => void = () => undefined;
    const probing = policy.run('decrypt', () => new Promise<string>((resolve) => (release = resolve)));
    await new Promise(setImmediate);
    await expect(policy.run('decrypt', call)).rejects.toMatchObject({ kind: 'kms-unavailable' });
    expect(call).not.toHaveBeenCalled();
    release('probe');
    await expect(probing).resolves.toBe('probe');
    await expect(policy.run('decrypt', call)).resolves.toBe('key');
    expect(states).toEqual(['open', 'half-open', 'closed']);
  });

  it('opens again when the trial after the cool-down fails', async () => {
    const policy = build({ breakerThreshold: 1, breakerCoolDown: 1_000 });
    await expect(policy.run('decrypt', failing('kms-sealed'))).rejects.toBeInstanceOf(KmsError);
    clock = 1_500;
    await expect(policy.run('decrypt', failing('kms-sealed'))).rejects.toMatchObject({ kind: 'kms-sealed' });
    clock = 2_400;
    expect(policy.breakerState).toBe('open');
    clock = 2_500;
    expect(policy.breakerState).toBe('half-open');
  });

  it.each<KmsErrorKind>([
    'kms-access-denied',
    'kms-key-not-found',
    'kms-invalid-ciphertext',
    'kms-throttled',
    'kms-unauthenticated',
  ])('never opens on %s, which proves that the service answers', async (kind) => {
    const policy = build({ breakerThreshold: 2 });
    for (let i = 0; i < 10; i++) {
      await expect(policy.run('decrypt', failing(kind))).rejects.toMatchObject({ kind });
    }
    expect(policy.breakerState).toBe('closed');
  });

  it('bounds the calls under way and those waiting', async () => {
    const releases: (() => void)[] = [];
    const call = (): Promise<void> => new Promise((resolve) => releases.push(resolve));
    const policy = build({ concurrency: 2, queueLimit: 1 });
    const running = [policy.run('decrypt', call), policy.run('decrypt', call), policy.run('decrypt', call)];
    await new Promise(setImmediate);
    expect(releases).toHaveLength(2);
    await expect(policy.run('decrypt', call)).rejects.toMatchObject({ kind: 'kms-throttled' });
    releases[0]?.();
    await new Promise(setImmediate);
    expect(releases).toHaveLength(3);
    releases.forEach((release) => release());
    await Promise.all(running);
  });
});
