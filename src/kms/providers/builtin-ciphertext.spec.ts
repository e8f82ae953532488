import { randomBytes } from 'node:crypto';
import { keyringVersionOf, unwrapWithKeyring, wrapWithKeyring } from './builtin-ciphertext';
import { hchacha20 } from './builtin-hchacha20';
import { parseMinioSecretKey, unwrapAsMinio, wrapAsMinio } from './builtin-minio-ciphertext';

const CONTEXT = Buffer.from('{"bucket":"bucket/object"}');
const INVALID = expect.objectContaining({ kind: 'kms-invalid-ciphertext' });

describe('keyring ciphertext', () => {
  const key = { keyId: 'k', version: 7, material: randomBytes(32) };
  const plaintext = randomBytes(32);

  it('round-trips and tells its key version', () => {
    const wrapped = wrapWithKeyring(key, plaintext, CONTEXT);
    expect(wrapped).toHaveLength(81);
    expect(keyringVersionOf(wrapped)).toBe(7);
    expect(unwrapWithKeyring(key, wrapped, CONTEXT)).toEqual(plaintext);
  });

  it('refuses a change of any byte', () => {
    const wrapped = wrapWithKeyring(key, plaintext, CONTEXT);
    for (let i = 0; i < wrapped.length; i++) {
      const altered = Buffer.from(wrapped);
      altered[i] = (altered[i] ?? 0) ^ 1;
      expect(() => {
        keyringVersionOf(altered);
        unwrapWithKeyring(key, altered, CONTEXT);
      }).toThrow(INVALID);
    }
  });

  it('refuses another context, key id or material, and truncation', () => {
    const wrapped = wrapWithKeyring(key, plaintext, CONTEXT);
    expect(() => unwrapWithKeyring(key, wrapped, Buffer.from('{}'))).toThrow(INVALID);
    expect(() => unwrapWithKeyring({ ...key, keyId: 'l' }, wrapped, CONTEXT)).toThrow(INVALID);
    expect(() => unwrapWithKeyring({ ...key, material: randomBytes(32) }, wrapped, CONTEXT)).toThrow(INVALID);
    expect(() => keyringVersionOf(wrapped.subarray(0, 49))).toThrow(INVALID);
    expect(() => keyringVersionOf(Buffer.alloc(0))).toThrow(INVALID);
  });
});

describe('hchacha20', () => {
  it('matches the vector of draft-irtf-cfrg-xchacha-03 section 2.2.1', () => {
    const key = Buffer.from('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f', 'hex');
    const nonce = Buffer.from('000000090000004a0000000031415927', 'hex');
    expect(hchacha20(key, nonce).toString('hex')).toBe(
      '82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc',
    );
  });
});

describe('MinIO static key ciphertext', () => {
  // Key and both ciphertexts: decryptKeyTests of minio/minio internal/kms/secret-key_test.go.
  const key = parseMinioSecretKey('my-key:eEm+JI9/q4JhH8QwKvf3LKo4DEBl6QbfvAl1CAbMIv8=');
  const material = key?.material ?? Buffer.alloc(0);

  it.each([
    [
      '{"aead":"ChaCha20Poly1305","iv":"JbI+vwvYww1lCb5VpkAFuQ==","nonce":"ARjIjJxBSD541Gz8","bytes":"KCbEc2sA0TLvA7aWTWa23AdccVfJMpOxwgG8hm+4PaNrxYfy1xFWZg2gEenVrOgv"}',
      '{}',
      'zmS7NrG765UZ0ZN85oPjybelxqVvpz01vxsSpOISy2M=',
    ],
    [
      '{"aead":"ChaCha20Poly1305","iv":"r4+yfiVbVIYR0Z2I9Fq+6g==","nonce":"2YpwGwE59GcVraI3","bytes":"k/svMglOU7/Kgwv73heG38NWW575XLcFp3SaxQHDMjJGYyRI3Fiygu2OeutGPXNL"}',
      '{"key":"value"}',
      'UnPWsZgVI+T4L9WGNzFlP1PsP1Z6hn2Fx8ISeZfDGnA=',
    ],
  ])('opens the legacy JSON form', (ciphertext, context, expected) => {
    const plaintext = unwrapAsMinio(material, Buffer.from(ciphertext), Buffer.from(context));
    expect(plaintext.toString('base64')).toBe(expected);
    expect(() => unwrapAsMinio(material, Buffer.from(ciphertext), Buffer.from('{"other":"context"}'))).toThrow(INVALID);
  });

  it('round-trips the binary form of 76 bytes for a 32-byte key', () => {
    const plaintext = randomBytes(32);
    const wrapped = wrapAsMinio(material, plaintext, CONTEXT);
    expect(wrapped).toHaveLength(76);
    expect(unwrapAsMinio(material, wrapped, CONTEXT)).toEqual(plaintext);
    for (const at of [0, 31, 32, 48, 64, 75]) {
      const altered = Buffer.from(wrapped);
      altered[at] = (altered[at] ?? 0) ^ 0x80;
      expect(() => unwrapAsMinio(material, altered, CONTEXT)).toThrow(INVALID);
    }
    expect(() => unwrapAsMinio(material, wrapped.subarray(0, 20), CONTEXT)).toThrow(INVALID);
  });

  it.each(['', 'name', 'name:', ':AAAA', 'name:AAAA', 'a b:eEm+JI9/q4JhH8QwKvf3LKo4DEBl6QbfvAl1CAbMIv8='])(
    'does not read %j as a secret key',
    (text) => expect(parseMinioSecretKey(text)).toBeUndefined(),
  );
});
