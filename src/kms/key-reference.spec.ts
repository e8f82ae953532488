import { parseKeyReference } from './key-reference';

describe('parseKeyReference', () => {
  it.each([
    [undefined, {}],
    ['my-key', { keyId: 'my-key' }],
    ['eu/my-key', { target: 'eu', keyId: 'my-key' }],
    ['vault:eu/my-key', { type: 'vault', target: 'eu', keyId: 'my-key' }],
    ['vault:eu', { type: 'vault', target: 'eu', keyId: undefined }],
    ['alias/name', { keyId: 'name' }],
    ['arn:aws:kms:eu-central-1:111122223333:alias/name', { keyId: 'name' }],
    ['arn:aws:kms:my-key', { keyId: 'my-key' }],
    ['arn:aws:kms:us-east-1:123456789012:key/my-key', { keyId: 'my-key' }],
    ['arn:aws:kms:::key/my-key', { keyId: 'my-key' }],
    ['arn:aws:kms:::key/vault:eu/my-key', { type: 'vault', target: 'eu', keyId: 'my-key' }],
    ['projects/p/locations/l/keyRings/r/cryptoKeys/k', { keyId: 'projects/p/locations/l/keyRings/r/cryptoKeys/k' }],
    [
      'gcp:eu/projects/p/locations/l/keyRings/r/cryptoKeys/k',
      { type: 'gcp', target: 'eu', keyId: 'projects/p/locations/l/keyRings/r/cryptoKeys/k' },
    ],
    ['projects/k', { target: 'projects', keyId: 'k' }],
    ['arn:aws:kms:vault:eu/my-key', { type: 'vault', target: 'eu', keyId: 'my-key' }],
  ])('takes %s apart', (reference, expected) => {
    expect(parseKeyReference(reference)).toEqual(expected);
  });

  it.each(['', '   ', 'a\nb', 'x'.repeat(513), 'arn:aws:kms:'])('refuses %j', (reference) => {
    expect(() => parseKeyReference(reference)).toThrow(expect.objectContaining({ kind: 'kms-invalid-request' }));
  });
});
