import { createHmac } from 'node:crypto';
import { Secret } from '../../common/secret';
import type { Credential } from '../identity.types';
import { verifyFormSignature } from './form-signature';
import type { SignatureError } from './signature-error';

const NOW = new Date('2026-11-23T12:00:00Z');
const VERIFICATION = { region: 'us-east-1', services: ['s3'], clockSkewSeconds: 900 };
const SECRET_KEY = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const CREDENTIAL: Credential = {
  accessKeyId: 'alice-key',
  secretKey: new Secret(SECRET_KEY),
  principal: { kind: 'user', name: 'alice', ownerId: 'alice', accessKeyId: 'alice-key' },
  status: 'enabled',
};

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

const policy = Buffer.from('{"expiration":"2026-11-24T00:00:00Z","conditions":[]}').toString('base64');
const signature = hmac(
  ['20261123', 'us-east-1', 's3', 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${SECRET_KEY}`),
  policy,
).toString('hex');

/** A form signed by Version 4, with changes; undefined removes a field. */
function verify(changes: Readonly<Record<string, string | undefined>> = {}) {
  const fields = {
    policy,
    'x-amz-algorithm': 'AWS4-HMAC-SHA256',
    'x-amz-credential': 'alice-key/20261123/us-east-1/s3/aws4_request',
    'x-amz-date': '20261123T120000Z',
    'x-amz-signature': signature,
    ...changes,
  };
  const present = Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined);
  const lookup = (id: string) => Promise.resolve(id === CREDENTIAL.accessKeyId ? CREDENTIAL : undefined);
  return verifyFormSignature(new Map(present), VERIFICATION, lookup, NOW);
}

const malformed = 'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".';

describe('the signature of a form', () => {
  it('names who signed, when it holds', async () => {
    expect(await verify()).toMatchObject({ version: 4, accessKeyId: 'alice-key', principal: { name: 'alice' } });
    const unsigned = ['policy', 'x-amz-algorithm', 'x-amz-credential', 'x-amz-date', 'x-amz-signature'];
    expect(await verify(Object.fromEntries(unsigned.map((name) => [name, undefined])))).toBeUndefined();
    await expect(verify({ policy: undefined })).rejects.toMatchObject({
      kind: 'InvalidArgument',
      details: { ArgumentName: 'policy' },
    });
    await expect(verify({ policy: `${policy}=` })).rejects.toMatchObject({ kind: 'SignatureDoesNotMatch' });
    await expect(verify({ 'x-amz-credential': 'bob-key/20261123/us-east-1/s3/aws4_request' })).rejects.toMatchObject({
      kind: 'InvalidAccessKeyId',
    });
  });

  it.each<[string, string, string]>([
    ['x-amz-algorithm', 'AWS4-HMAC-SHA1', 'Only AWS4-HMAC-SHA256 is supported'],
    ['x-amz-date', '2026-11-23', 'X-Amz-Date must be formated via ISO8601 Long format'],
    ['x-amz-credential', 'alice-key', malformed],
    ['x-amz-credential', '/20261123/us-east-1/s3/aws4_request', malformed],
    ['x-amz-credential', 'alice-key/20261123/eu-west-1/s3/aws4_request', "the region 'eu-west-1' is wrong"],
    ['x-amz-credential', 'alice-key/20261123/us-east-1/ec2/aws4_request', 'incorrect service "ec2"'],
    ['x-amz-credential', 'alice-key/20261123/us-east-1/s3/aws5_request', 'incorrect terminal "aws5_request"'],
    ['x-amz-credential', 'alice-key/today/us-east-1/s3/aws4_request', 'incorrect date format "today"'],
    ['x-amz-credential', 'alice-key/20261122/us-east-1/s3/aws4_request', 'Invalid credential date "20261122"'],
    ['x-amz-signature', '', "Bucket POST must contain a field named 'X-Amz-Signature'"],
  ])('refuses %s of "%s", naming it', async (name, value, message) => {
    const error = (await verify({ [name]: value }).catch((reason: unknown) => reason)) as SignatureError;
    expect([error.kind, error.message]).toEqual(['InvalidArgument', expect.stringContaining(message)]);
    expect([error.details['ArgumentName']?.toLowerCase(), error.details['ArgumentValue']]).toEqual([name, value]);
  });
});
