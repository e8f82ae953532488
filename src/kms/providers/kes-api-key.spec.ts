import { createPrivateKey, createPublicKey, randomBytes, X509Certificate } from 'node:crypto';
import { identityOf, isKesApiKey, kesIdentity } from './kes-api-key';

const apiKeyOf = (seed: Buffer): string => `kes:v1:${Buffer.concat([Buffer.of(0), seed]).toString('base64')}`;

describe('API keys of KES', () => {
  // Vectors of github.com/minio/kms-go, kes/apikey_test.go.
  it.each([
    [
      'kes:v1:ACQpoGqx3rHHjT938Hfu5hVVQJHZWSqVI2Xp1KlYxFVw',
      '0426fa9a04bc2756b92fbe8a97e1a1e07b53ecf04ed33da22c33e5c9faeb8cbb',
    ],
    [
      'kes:v1:AMxvd2uV1l5dDSRwuKZxSjuM5BDemlr+685+JAHA1TuJ',
      'ab785e3b95d80d72cc9c27cb9fde886a0bf9068a69d40e3bd08a54e68c3f2bf7',
    ],
  ])('gives %s the identity KES gives it', (apiKey, identity) => {
    expect(kesIdentity(apiKey).identity).toBe(identity);
  });

  it('accepts the text without its header', () => {
    const apiKey = apiKeyOf(randomBytes(32));
    expect(kesIdentity(apiKey.slice('kes:v1:'.length)).identity).toBe(kesIdentity(apiKey).identity);
  });

  it.each(['', 'kes:v1:', 'kes:v2:AAAA', apiKeyOf(Buffer.alloc(31)), apiKeyOf(Buffer.alloc(33)), 'kes:v1:Ag==', '%%%'])(
    'knows that %j is none',
    (text) => {
      expect(isKesApiKey(text)).toBe(false);
      expect(() => kesIdentity(text)).toThrow('Not an API key');
    },
  );

  it('makes a certificate for clients alone that is signed by its own key and does not expire', () => {
    const { cert, key, identity } = kesIdentity(apiKeyOf(randomBytes(32)), new Date('2026-01-02T03:04:05.678Z'));
    const certificate = new X509Certificate(cert);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(certificate.checkPrivateKey(createPrivateKey(key))).toBe(true);
    expect(identityOf(createPublicKey(key))).toBe(identity);
    expect(certificate).toMatchObject({
      ca: false,
      subject: `CN=${identity}`,
      issuer: `CN=${identity}`,
      validFrom: 'Jan  2 03:04:05 2026 GMT',
      validTo: 'Dec 31 23:59:59 9999 GMT',
      keyUsage: ['1.3.6.1.5.5.7.3.2'],
    });
  });
});
