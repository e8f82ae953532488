import { inspect } from 'node:util';
import { Secret } from '../common/secret';
import { redact, redactText } from './redaction';

describe('redactText', () => {
  it.each([
    ['Signature=0a1b2c3d, next', 'Signature=[redacted], next'],
    ['GET /b/k?X-Amz-Signature=deadbeef&x=1', 'GET /b/k?X-Amz-Signature=[redacted]&x=1'],
    ['Authorization: Basic dXNlcjpwYXNz', 'Authorization: Basic [redacted]'],
    ['connect postgres://me:hunter2@db:5432/x', 'connect postgres://me:[redacted]@db:5432/x'],
    ['token hvs.CAESIJ0123456789abcdefghij rejected', 'token [redacted] rejected'],
    ['old token s.0123456789abcdefghijABCD', 'old token [redacted]'],
  ])('hides the secret in %p', (text, expected) => {
    expect(redactText(text)).toBe(expected);
  });

  it('hides a private key over several lines', () => {
    const text = 'bad key -----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY----- end';
    expect(redactText(text)).toBe('bad key [redacted] end');
  });

  it.each(['vault:v1:abcdef', 'arn:aws:s3:::bucket/key', 'http://127.0.0.1:9000/bucket/a@b', 'us.east.1'])(
    'leaves %p alone',
    (text) => {
      expect(redactText(text)).toBe(text);
    },
  );
});

describe('redact', () => {
  it('replaces secret fields by name at any depth and in any spelling', () => {
    const value = {
      name: 'x',
      secretKey: 'a',
      nested: [{ 'X-Vault-Token': 'b' }, { secret_id: 'c', key: 'photo.jpg' }],
    };
    expect(redact(value)).toEqual({
      name: 'x',
      secretKey: '[redacted]',
      nested: [{ 'X-Vault-Token': '[redacted]' }, { secret_id: '[redacted]', key: 'photo.jpg' }],
    });
  });

  it('shows bytes by their length and a Secret not at all', () => {
    expect(redact({ body: Buffer.from('plain'), wrapped: new Secret('s3cret') })).toEqual({
      body: '[5 bytes]',
      wrapped: '[redacted]',
    });
  });

  it('keeps type, kind, message and cause of an error and drops its other fields', () => {
    const cause = Object.assign(new Error('GET https://u:pw@host failed'), {
      config: { headers: { token: 'hidden' } },
    });
    const error = Object.assign(new TypeError('outer', { cause }), { kind: 'kms-unavailable' });
    const result = redact(error) as { type: string; kind: string; cause: { message: string } };
    expect(result).toMatchObject({ type: 'TypeError', kind: 'kms-unavailable', message: 'outer' });
    expect(result.cause.message).toBe('GET https://u:[redacted]@host failed');
    expect(inspect(result, { depth: 10 })).not.toMatch(/hidden|:pw@/);
  });

  it('ends on a value that contains itself', () => {
    const loop: Record<string, unknown> = {};
    loop['self'] = loop;
    expect(JSON.stringify(redact(loop))).toContain('[…]');
  });
});
