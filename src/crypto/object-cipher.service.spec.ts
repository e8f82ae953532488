import { randomBytes } from 'node:crypto';
import { canonicalContextText, type EncryptionContext } from '../common/encryption-context';
import { seal, unseal } from '../common/sealed-box';
import { DataKeys, type GeneratedDataKey, type WrappedDataKey } from '../kms/data-keys';
import { KmsError } from '../kms/kms-error';
import { BucketKeys } from './bucket-keys';
import { CiphertextError } from './dare';
import type { CustomerKey, EncryptionRecord, ObjectLocation } from './encryption.types';
import { ObjectCipher, type SealRequest } from './object-cipher.service';

/** A KMS in memory that binds the context, as every real one here does, and remembers what it handed out. */
class MemoryDataKeys extends DataKeys {
  readonly calls: { readonly operation: string; readonly context: EncryptionContext }[] = [];
  readonly handedOut: Buffer[] = [];
  failure: KmsError | undefined;
  keyBytes = 32;
  gate: Promise<void> = Promise.resolve();
  private readonly master = randomBytes(32);

  async generate(keyReference: string | undefined, context: EncryptionContext): Promise<GeneratedDataKey> {
    return this.make('generate', this.resolve(keyReference), context);
  }

  async generateForServer(context: EncryptionContext): Promise<GeneratedDataKey> {
    return this.make('generateForServer', { kms: 'builtin:server', keyId: 'server' }, context);
  }

  async unwrap(wrapped: WrappedDataKey, context: EncryptionContext): Promise<Buffer> {
    this.calls.push({ operation: 'unwrap', context });
    await this.gate;
    if (this.failure) {
      throw this.failure;
    }
    try {
      return this.remember(unseal(this.master, wrapped.ciphertext, `${wrapped.keyId}${canonicalContextText(context)}`));
    } catch (cause) {
      throw new KmsError('kms-invalid-ciphertext', 'no', { cause });
    }
  }

  resolve(keyReference: string | undefined): { kms: string; keyId: string } {
    return { kms: 'memory:default', keyId: keyReference ?? 'default-key' };
  }

  private async make(
    operation: string,
    { kms, keyId }: { kms: string; keyId: string },
    context: EncryptionContext,
  ): Promise<GeneratedDataKey> {
    this.calls.push({ operation, context });
    await this.gate;
    if (this.failure) {
      throw this.failure;
    }
    const plaintext = this.remember(randomBytes(this.keyBytes));
    const ciphertext = seal(this.master, plaintext, `${keyId}${canonicalContextText(context)}`);
    return { plaintext, wrapped: { kms, keyId, keyVersion: '1', ciphertext } };
  }

  private remember(plaintext: Buffer): Buffer {
    this.handedOut.push(plaintext);
    return plaintext;
  }
}

const LOCATION: ObjectLocation = { bucket: 'photos', key: 'a/b.jpg' };
const ELSEWHERE: ObjectLocation = { bucket: 'photos', key: 'a/c.jpg' };
const CUSTOMER: CustomerKey = { key: Buffer.alloc(32, 7), md5: 'unused' };
const ZEROS = Buffer.alloc(32);

function setUp(): { kms: MemoryDataKeys; cipher: ObjectCipher } {
  const kms = new MemoryDataKeys();
  return { kms, cipher: new ObjectCipher(kms, new BucketKeys(kms)) };
}

const REQUESTS: [name: string, request: SealRequest][] = [
  ['sse-s3', { mode: 'sse-s3' }],
  ['sse-kms', { mode: 'sse-kms', keyId: 'k', context: { team: 'x' } }],
  ['sse-kms with a bucket key', { mode: 'sse-kms', keyId: 'k', context: { team: 'x' }, bucketKey: true }],
  ['dsse-kms', { mode: 'dsse-kms' }],
  ['sse-c', { mode: 'sse-c', customerKey: CUSTOMER }],
];

describe.each(REQUESTS)('%s', (_name, request) => {
  const customerKey = request.mode === 'sse-c' ? request.customerKey : undefined;

  it('opens to the same object key, for its own location only', async () => {
    const { cipher } = setUp();
    const pending = cipher.begin(request, LOCATION);
    const record = await pending.record;
    expect(record).toMatchObject({ mode: request.mode, multipart: false, sealAlgorithm: 'DAREv2-HMAC-SHA256' });
    expect((await cipher.open(record, LOCATION, customerKey)).equals(pending.objectKey)).toBe(true);
    await expect(cipher.open(record, ELSEWHERE, customerKey)).rejects.toThrow();
  });

  it('zeroes every data key it was given', async () => {
    const { kms, cipher } = setUp();
    const record = await cipher.begin(request, LOCATION).record;
    await cipher.open(record, LOCATION, customerKey);
    const dataKeys = request.mode === 'sse-kms' && request.bucketKey ? [] : kms.handedOut;
    expect(dataKeys.every((key) => key.equals(ZEROS))).toBe(true);
  });

  it('re-seals for another location and request without a new object key', async () => {
    const { cipher } = setUp();
    const pending = cipher.begin(request, LOCATION, { multipart: true });
    const before = await pending.record;
    const next: SealRequest =
      request.mode === 'dsse-kms' ? { mode: 'dsse-kms', keyId: 'new' } : { mode: 'sse-kms', keyId: 'new' };
    const after = await cipher.reseal(before, LOCATION, ELSEWHERE, next, customerKey);
    expect(after).toMatchObject({ mode: next.mode, multipart: true, wrappedKey: { keyId: 'new' } });
    expect(after.iv.equals(before.iv)).toBe(false);
    expect((await cipher.open(after, ELSEWHERE)).equals(pending.objectKey)).toBe(true);
  });
});

describe('pending seals', () => {
  it('give the object key before the KMS has answered', async () => {
    const { kms, cipher } = setUp();
    let answer = (): void => undefined;
    kms.gate = new Promise((resolve) => (answer = resolve));
    const pending = cipher.begin({ mode: 'sse-kms' }, LOCATION);
    expect(pending.objectKey).toHaveLength(32);
    expect(pending.objectKey.equals(ZEROS)).toBe(false);
    answer();
    expect((await pending.record).sealedKey).toHaveLength(64);
  });

  it('reject for those who await them, and only for those', async () => {
    const { kms, cipher } = setUp();
    const unhandled = jest.fn();
    process.on('unhandledRejection', unhandled);
    kms.failure = new KmsError('kms-unavailable', 'down');
    const pending = cipher.begin({ mode: 'sse-kms' }, LOCATION);
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    expect(unhandled).not.toHaveBeenCalled();
    await expect(pending.record).rejects.toMatchObject({ kind: 'kms-unavailable' });
    process.off('unhandledRejection', unhandled);
  });

  it('never seal a zeroed key when they are discarded early', async () => {
    const { kms, cipher } = setUp();
    let answer = (): void => undefined;
    kms.gate = new Promise((resolve) => (answer = resolve));
    const pending = cipher.begin({ mode: 'sse-kms' }, LOCATION);
    const before = Buffer.from(pending.objectKey);
    pending.discard();
    expect(pending.objectKey.equals(ZEROS)).toBe(true);
    answer();
    expect((await cipher.open(await pending.record, LOCATION)).equals(before)).toBe(true);
  });

  it('draw a fresh object key each time', () => {
    const { cipher } = setUp();
    const keys = Array.from({ length: 20 }, () => cipher.begin({ mode: 'sse-s3' }, LOCATION).objectKey.toString('hex'));
    expect(new Set(keys).size).toBe(20);
  });
});

describe('encryption context', () => {
  it('adds the object under the name of its bucket, as MinIO does, and stores what the client sent', async () => {
    const { kms, cipher } = setUp();
    const record = await cipher.begin({ mode: 'sse-kms', context: { team: 'x' } }, LOCATION).record;
    await cipher.open(record, LOCATION);
    const expected = { team: 'x', photos: 'photos/a/b.jpg' };
    expect(kms.calls.map(({ context }) => context)).toEqual([expected, expected]);
    expect(record.context).toEqual({ team: 'x' });
  });

  it("keeps the client's own entry of that name", async () => {
    const { kms, cipher } = setUp();
    await cipher.begin({ mode: 'sse-kms', context: { photos: 'mine' } }, LOCATION).record;
    expect(kms.calls[0]?.context).toEqual({ photos: 'mine' });
  });

  it('is bound', async () => {
    const { cipher } = setUp();
    const record = await cipher.begin({ mode: 'sse-kms', context: { team: 'x' } }, LOCATION).record;
    const forged: EncryptionRecord = { ...record, context: { team: 'y' } };
    await expect(cipher.open(forged, LOCATION)).rejects.toMatchObject({ kind: 'kms-invalid-ciphertext' });
  });
});

describe('refusals', () => {
  it('wants the customer key of SSE-C objects, and the right one', async () => {
    const { cipher } = setUp();
    const record = await cipher.begin({ mode: 'sse-c', customerKey: CUSTOMER }, LOCATION).record;
    const wrong = { key: Buffer.alloc(32, 8), md5: '' };
    const short = { key: Buffer.alloc(16), md5: '' };
    await expect(cipher.open(record, LOCATION)).rejects.toMatchObject({ kind: 'InvalidRequest' });
    await expect(cipher.open(record, LOCATION, wrong)).rejects.toMatchObject({ kind: 'AccessDenied' });
    await expect(cipher.open(record, LOCATION, short)).rejects.toMatchObject({ kind: 'InvalidArgument' });
    expect(() => cipher.begin({ mode: 'sse-c', customerKey: short }, LOCATION)).toThrow('32 bytes');
  });

  it('takes no customer key for other objects', async () => {
    const { cipher } = setUp();
    const record = await cipher.begin({ mode: 'sse-s3' }, LOCATION).record;
    await expect(cipher.open(record, LOCATION, CUSTOMER)).rejects.toMatchObject({ kind: 'InvalidRequest' });
  });

  it('notices altered and swapped records', async () => {
    const { cipher } = setUp();
    const record = await cipher.begin({ mode: 'sse-kms' }, LOCATION).record;
    const other = await cipher.begin({ mode: 'sse-kms' }, LOCATION).record;
    await expect(cipher.open({ ...record, iv: other.iv }, LOCATION)).rejects.toThrow(CiphertextError);
    await expect(cipher.open({ ...record, wrappedKey: other.wrappedKey }, LOCATION)).rejects.toThrow(CiphertextError);
    await expect(cipher.open({ ...record, mode: 'dsse-kms' }, LOCATION)).rejects.toThrow(CiphertextError);
    await expect(cipher.open({ ...record, wrappedKey: undefined }, LOCATION)).rejects.toThrow(CiphertextError);
  });

  it('passes KMS failures on', async () => {
    const { kms, cipher } = setUp();
    const record = await cipher.begin({ mode: 'sse-kms' }, LOCATION).record;
    kms.failure = new KmsError('kms-timeout', 'late');
    await expect(cipher.open(record, LOCATION)).rejects.toBe(kms.failure);
    await expect(cipher.reseal(record, LOCATION, LOCATION, { mode: 'sse-kms' })).rejects.toBe(kms.failure);
  });

  it('refuses data keys of a wrong length', async () => {
    const { kms, cipher } = setUp();
    kms.keyBytes = 16;
    await expect(cipher.begin({ mode: 'sse-kms' }, LOCATION).record).rejects.toMatchObject({ kind: 'kms-protocol' });
  });

  it('does not re-seal between one and two layers', async () => {
    const { cipher } = setUp();
    const record = await cipher.begin({ mode: 'sse-kms' }, LOCATION).record;
    await expect(cipher.reseal(record, LOCATION, LOCATION, { mode: 'dsse-kms' })).rejects.toMatchObject({
      kind: 'InvalidRequest',
    });
  });

  it('keeps SSE-C working while the KMS is down', async () => {
    const { kms, cipher } = setUp();
    kms.failure = new KmsError('kms-unavailable', 'down');
    const pending = cipher.begin({ mode: 'sse-c', customerKey: CUSTOMER }, LOCATION);
    expect((await cipher.open(await pending.record, LOCATION, CUSTOMER)).equals(pending.objectKey)).toBe(true);
    expect(kms.calls).toHaveLength(0);
  });
});

describe('SSE-S3', () => {
  it('takes its data key from the embedded keyring', async () => {
    const { kms, cipher } = setUp();
    const record = await cipher.begin({ mode: 'sse-s3' }, LOCATION).record;
    expect(kms.calls.map(({ operation }) => operation)).toEqual(['generateForServer']);
    expect(record.wrappedKey?.kms).toBe('builtin:server');
    expect(record).not.toHaveProperty('context');
  });
});
