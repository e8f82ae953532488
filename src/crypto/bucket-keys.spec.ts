import { randomBytes } from 'node:crypto';
import type { EncryptionContext } from '../common/encryption-context';
import { DataKeys, type GeneratedDataKey, type ResolvedKey, type WrappedDataKey } from '../kms/data-keys';
import { KmsError } from '../kms/kms-error';
import { openUnderBucketKey, parseBucketKeyEnvelope, sealUnderBucketKey } from './bucket-key-envelope';
import { BUCKET_KEY_DEFAULTS, BucketKeys, type BucketKeyOptions } from './bucket-keys';
import { CiphertextError } from './dare';

/** A KMS whose ciphertext is a number in a table, so that calls can be counted and keys watched. */
class CountingDataKeys extends DataKeys {
  generated = 0;
  unwrapped = 0;
  failure: KmsError | undefined;
  revision = '1';
  readonly handedOut: Buffer[] = [];
  private readonly table = new Map<string, { readonly key: Buffer; readonly context: EncryptionContext }>();

  async generate(keyReference: string | undefined, context: EncryptionContext): Promise<GeneratedDataKey> {
    await Promise.resolve();
    this.generated += 1;
    if (this.failure) {
      throw this.failure;
    }
    const key = randomBytes(32);
    const name = `wrapped-${this.generated}`;
    this.table.set(name, { key, context });
    const plaintext = Buffer.from(key);
    this.handedOut.push(plaintext);
    const { kms, keyId } = this.resolve(keyReference);
    return { plaintext, wrapped: { kms, keyId, keyVersion: '3', ciphertext: Buffer.from(name) } };
  }

  generateForServer(): Promise<GeneratedDataKey> {
    return Promise.reject(new Error('not used with bucket keys'));
  }

  async unwrap(wrapped: WrappedDataKey, context: EncryptionContext): Promise<Buffer> {
    await Promise.resolve();
    this.unwrapped += 1;
    const entry = this.table.get(wrapped.ciphertext.toString());
    if (entry === undefined || JSON.stringify(entry.context) !== JSON.stringify(context)) {
      throw new KmsError('kms-invalid-ciphertext', 'no');
    }
    const plaintext = Buffer.from(entry.key);
    this.handedOut.push(plaintext);
    return plaintext;
  }

  resolve(keyReference: string | undefined): ResolvedKey {
    return { kms: 'memory:default', keyId: keyReference ?? 'default-key', revision: this.revision };
  }
}

const ONE = { bucket: 'b', key: 'one' };
const TWO = { bucket: 'b', key: 'two' };
const ZEROS = Buffer.alloc(32);

function setUp(options: Partial<BucketKeyOptions> = {}): {
  kms: CountingDataKeys;
  keys: BucketKeys;
  other: BucketKeys;
} {
  const kms = new CountingDataKeys();
  const all = { ...BUCKET_KEY_DEFAULTS, ...options };
  return { kms, keys: new BucketKeys(kms, all), other: new BucketKeys(kms, all) };
}

describe('bucket keys', () => {
  it('cost one KMS call for many objects, concurrent ones included', async () => {
    const { kms, keys } = setUp();
    const made = await Promise.all(Array.from({ length: 50 }, () => keys.generate('k', undefined, ONE)));
    await keys.generate('k', undefined, TWO);
    expect(kms.generated).toBe(1);
    expect(new Set(made.map(({ plaintext }) => plaintext.toString('hex'))).size).toBe(50);
    expect(made[0]?.wrapped).toMatchObject({ kms: 'memory:default', keyId: 'k', keyVersion: '3' });
  });

  it('unwrap in a process that never saw them, with one KMS call', async () => {
    const { kms, keys, other } = setUp();
    const first = await keys.generate('k', { team: 'x' }, ONE);
    const second = await keys.generate('k', { team: 'x' }, TWO);
    expect((await other.unwrap(first.wrapped, { team: 'x' }, ONE)).equals(first.plaintext)).toBe(true);
    expect((await other.unwrap(second.wrapped, { team: 'x' }, TWO)).equals(second.plaintext)).toBe(true);
    expect(kms.unwrapped).toBe(1);
  });

  it('are not shared between buckets, KMS keys and client contexts', async () => {
    const { kms, keys } = setUp();
    await keys.generate('k', undefined, ONE);
    await keys.generate('k2', undefined, ONE);
    await keys.generate('k', { team: 'x' }, ONE);
    await keys.generate('k', undefined, { bucket: 'b2', key: 'one' });
    expect(kms.generated).toBe(4);
  });

  it('are not used for writing once the KMS target is configured otherwise', async () => {
    const { kms, keys } = setUp();
    const before = await keys.generate('k', undefined, ONE);
    kms.revision = '2';
    await keys.generate('k', undefined, ONE);
    expect(kms.generated).toBe(2);
    expect((await keys.unwrap(before.wrapped, undefined, ONE)).equals(before.plaintext)).toBe(true);
  });

  it('bind the object and the client context', async () => {
    const { keys, other } = setUp();
    const { wrapped } = await keys.generate('k', { team: 'x' }, ONE);
    await expect(other.unwrap(wrapped, { team: 'x' }, TWO)).rejects.toThrow(CiphertextError);
    await expect(other.unwrap(wrapped, { team: 'y' }, ONE)).rejects.toMatchObject({ kind: 'kms-invalid-ciphertext' });
    await expect(other.unwrap(wrapped, { team: 'x' }, { bucket: 'b2', key: 'one' })).rejects.toThrow(KmsError);
  });

  it('are replaced after so many uses, and zeroed', async () => {
    const { kms, keys } = setUp({ maxUses: 3 });
    for (let use = 0; use < 7; use += 1) {
      await keys.generate('k', undefined, ONE);
    }
    expect(kms.generated).toBe(3);
    expect(kms.handedOut.map((key) => key.equals(ZEROS))).toEqual([true, true, false]);
  });

  it('keep to their number of uses under concurrency without ever wrapping under a zeroed key', async () => {
    const { kms, keys, other } = setUp({ maxUses: 4 });
    const made = await Promise.all(Array.from({ length: 20 }, () => keys.generate('k', undefined, ONE)));
    expect(kms.generated).toBe(5);
    for (const { plaintext, wrapped } of made) {
      expect((await other.unwrap(wrapped, undefined, ONE)).equals(plaintext)).toBe(true);
    }
  });

  it('are zeroed when pushed out and on shutdown', async () => {
    const { kms, keys } = setUp({ maxEntries: 1 });
    const first = await keys.generate('k', undefined, ONE);
    await keys.generate('k2', undefined, ONE);
    expect(kms.handedOut.map((key) => key.equals(ZEROS))).toEqual([true, false]);
    await keys.unwrap(first.wrapped, undefined, ONE);
    keys.onModuleDestroy();
    expect(kms.handedOut.every((key) => key.equals(ZEROS))).toBe(true);
  });

  it('expire and are zeroed then, used or not', async () => {
    jest.useFakeTimers();
    try {
      // The cache takes a start time of exactly 0, which only fake clocks show, for none.
      jest.advanceTimersByTime(1);
      const { kms, keys } = setUp();
      await keys.generate('k', undefined, ONE);
      jest.advanceTimersByTime(BUCKET_KEY_DEFAULTS.ttl - 1_000);
      await keys.generate('k', undefined, ONE);
      expect(kms.generated).toBe(1);
      jest.advanceTimersByTime(2_000);
      expect(kms.handedOut[0]?.equals(ZEROS)).toBe(true);
      await keys.generate('k', undefined, ONE);
      expect(kms.generated).toBe(2);
    } finally {
      jest.useRealTimers();
    }
  });

  it('do not remember failures', async () => {
    const { kms, keys } = setUp();
    kms.failure = new KmsError('kms-unavailable', 'down');
    await expect(Promise.all([keys.generate('k', undefined, ONE), keys.generate('k', undefined, TWO)])).rejects.toBe(
      kms.failure,
    );
    kms.failure = undefined;
    expect((await keys.generate('k', undefined, ONE)).plaintext).toHaveLength(32);
  });
});

describe('the envelope', () => {
  const bucketKey = randomBytes(32);
  const dataKey = randomBytes(32);
  const envelope = sealUnderBucketKey(dataKey, bucketKey, Buffer.from('vault:v1:abc'), '{"b":"b/one"}');

  function open(bytes: Buffer): Buffer {
    const { kmsCiphertext, localCiphertext } = parseBucketKeyEnvelope(bytes);
    expect(kmsCiphertext.toString()).toBe('vault:v1:abc');
    return openUnderBucketKey(localCiphertext, bucketKey, '{"b":"b/one"}');
  }

  it('carries both ciphertexts', () => {
    expect(open(envelope).equals(dataKey)).toBe(true);
  });

  it('notices every altered byte and every other length', () => {
    for (let offset = 0; offset < envelope.length; offset += 1) {
      const altered = Buffer.from(envelope);
      altered[offset] = altered.readUInt8(offset) ^ 1;
      expect(() => open(altered)).toThrow();
      expect(() => parseBucketKeyEnvelope(envelope.subarray(0, offset))).toThrow(CiphertextError);
    }
    expect(() => parseBucketKeyEnvelope(Buffer.concat([envelope, Buffer.of(0)]))).toThrow(CiphertextError);
  });
});
