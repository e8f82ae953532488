import { decodeEnvelope, encodeEnvelope, openDataKey, sealNewDataKey, type AzureEnvelope } from './azure-envelope';

const KMS = 'azure:test';
const CONTEXT = { bucket: 'bucket/key' };
const INVALID = expect.objectContaining({ name: 'KmsError', kind: 'kms-invalid-ciphertext' });

function envelope(): AzureEnvelope {
  return {
    algorithm: 'A256KW',
    keyVersion: '000102030405060708090a0b0c0d0e0f',
    wrappedKey: Buffer.from('aabb', 'hex'),
    box: Buffer.from('ccdd', 'hex'),
  };
}

describe('Azure envelope', () => {
  it('has the layout that it is documented with', () => {
    expect(encodeEnvelope(envelope()).toString('hex')).toBe('0101000102030405060708090a0b0c0d0e0f0002aabbccdd');
    expect(decodeEnvelope(KMS, encodeEnvelope(envelope()))).toEqual(envelope());
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['another format', Buffer.concat([Buffer.of(2), encodeEnvelope(envelope()).subarray(1)])],
    ['an unknown algorithm', Buffer.concat([Buffer.of(1, 9), encodeEnvelope(envelope()).subarray(2)])],
    ['no wrapped key', encodeEnvelope({ ...envelope(), wrappedKey: Buffer.alloc(0) })],
    ['no box', encodeEnvelope({ ...envelope(), box: Buffer.alloc(0) })],
    ['text', Buffer.from('vault:v1:AAAA')],
  ])('refuses %s', (_what, bytes) => {
    expect(() => decodeEnvelope(KMS, bytes)).toThrow(INVALID);
  });

  it('binds the context', () => {
    const { encryptionKey, box } = sealNewDataKey(CONTEXT);
    expect(() => openDataKey(KMS, Buffer.from(encryptionKey), box, { bucket: 'bucket/other' })).toThrow(INVALID);
    expect(() => openDataKey(KMS, encryptionKey.subarray(0, 16), box, CONTEXT)).toThrow(INVALID);
  });

  it('gives the data key back, and overwrites the key that Azure unwrapped', () => {
    const { plaintext, encryptionKey, box } = sealNewDataKey(CONTEXT);
    expect(openDataKey(KMS, encryptionKey, box, CONTEXT)).toEqual(plaintext);
    expect(encryptionKey).toEqual(Buffer.alloc(32));
  });
});
