import { createHash, createHmac } from 'node:crypto';
import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import * as aws4 from 'aws4';
import * as fc from 'fast-check';
import { Secret } from '../../common/secret';
import type { Credential } from '../identity.types';
import { sessionTokenDigest } from '../session-token';
import { uriEncode } from './canonical-request';
import { SignatureError } from './signature-error';
import { verifySignature, type VerifiableRequest, type VerificationPolicy } from './signature-verifier';

const ACCESS_KEY = 'AKIAIOSFODNN7EXAMPLE';
const SECRET_KEY = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const NOW = new Date('2026-11-23T12:00:00Z');
const POLICY: VerificationPolicy = { region: 'us-east-1', services: ['s3'], clockSkewSeconds: 900 };
const CREDENTIAL: Credential = {
  accessKeyId: ACCESS_KEY,
  secretKey: new Secret(SECRET_KEY),
  principal: { kind: 'user', name: 'alice', ownerId: 'alice', accessKeyId: ACCESS_KEY },
  status: 'enabled',
};

const lookup = (accessKeyId: string): Promise<Credential | undefined> =>
  Promise.resolve(accessKeyId === ACCESS_KEY ? CREDENTIAL : undefined);

function requestOf(method: string, url: string, headers: Record<string, string>): VerifiableRequest {
  const mark = url.indexOf('?');
  const rawQuery = mark < 0 ? '' : url.slice(mark + 1);
  const query = new Map<string, string>();
  for (const part of rawQuery.split('&').filter((each) => each !== '')) {
    const [name = '', value = ''] = part.split('=');
    query.set(decodeURIComponent(name), decodeURIComponent(value));
  }
  return {
    method,
    rawPath: mark < 0 ? url : url.slice(0, mark),
    rawQuery,
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
    query,
  };
}

function sign(method: string, path: string, headers: Record<string, string> = {}, at = NOW): VerifiableRequest {
  const signed = aws4.sign(
    {
      service: 's3',
      region: 'us-east-1',
      host: 'localhost:9000',
      method,
      path,
      headers: {
        'X-Amz-Content-Sha256': 'UNSIGNED-PAYLOAD',
        'X-Amz-Date': at.toISOString().replace(/[-:]|\.\d{3}/g, ''),
        ...headers,
      },
    },
    { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY },
  );
  return requestOf(method, signed.path as string, signed.headers as Record<string, string>);
}

async function kindOf(request: VerifiableRequest, policy = POLICY, now = NOW): Promise<string> {
  try {
    const verified = await verifySignature(request, policy, lookup, now);
    return verified === undefined ? 'anonymous' : 'ok';
  } catch (error) {
    return error instanceof SignatureError ? error.kind : String(error);
  }
}

const keyText = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 });

describe('verifySignature', () => {
  const smithy = new SignatureV4({
    service: 's3',
    region: 'us-east-1',
    credentials: { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY },
    sha256: Sha256,
    uriEscapePath: false,
  });

  // Amazon S3 API reference, "Signature Calculations for the Authorization Header", GET Object example.
  it('accepts the GET example of the S3 documentation', async () => {
    const request = requestOf('GET', '/test.txt', {
      Host: 'examplebucket.s3.amazonaws.com',
      Range: 'bytes=0-9',
      'x-amz-content-sha256': 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      'x-amz-date': '20130524T000000Z',
      Authorization:
        'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    });
    expect(await kindOf(request, POLICY, new Date('2013-05-24T00:00:30Z'))).toBe('ok');
  });

  // The same chapter, PUT Object example: an unescaped `$` in the path and a Date header.
  it('accepts the PUT example of the S3 documentation', async () => {
    const request = requestOf('PUT', '/test$file.text', {
      Host: 'examplebucket.s3.amazonaws.com',
      Date: 'Fri, 24 May 2013 00:00:00 GMT',
      'x-amz-content-sha256': '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072',
      'x-amz-date': '20130524T000000Z',
      'x-amz-storage-class': 'REDUCED_REDUNDANCY',
      Authorization:
        'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class,Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
    });
    expect(await kindOf(request, POLICY, new Date('2013-05-24T00:00:30Z'))).toBe('ok');
  });

  // "Authenticating Requests: Using Query Parameters", presigned GET example.
  it('accepts the presigned example of the S3 documentation, until it expires', async () => {
    const request = requestOf(
      'GET',
      '/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404',
      { Host: 'examplebucket.s3.amazonaws.com' },
    );
    expect(await kindOf(request, POLICY, new Date('2013-05-24T23:59:59Z'))).toBe('ok');
    expect(await kindOf(request, POLICY, new Date('2013-05-25T00:00:01Z'))).toBe('AccessDenied');
    expect(await kindOf(request, POLICY, new Date('2013-05-23T23:00:00Z'))).toBe('AccessDenied');
  });

  it('accepts whatever aws4 signs', async () => {
    await fc.assert(
      fc.asyncProperty(keyText, fc.dictionary(fc.stringMatching(/^[a-z-]{1,9}$/), keyText), async (key, query) => {
        const search = Object.entries(query)
          .map(([name, value]) => `${name}=${uriEncode(value)}`)
          .join('&');
        const path = `/bucket/${uriEncode(key)}${search === '' ? '' : `?${search}`}`;
        expect(await kindOf(sign('GET', path, { 'X-Amz-Meta-Blanks': ' a   b ' }))).toBe('ok');
      }),
    );
  });

  it.each(['s3', 'sts'])('takes the body of a presigned URL as its service %s signs it', async (service) => {
    const signer = new SignatureV4({
      service,
      region: 'us-east-1',
      credentials: { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY },
      sha256: Sha256,
      applyChecksum: false,
    });
    const bodyHash = createHash('sha256').digest('hex');
    const headers = {
      host: 'localhost:9000',
      ...(service === 's3' ? { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } : {}),
    };
    const request = { method: 'GET', protocol: 'http:', hostname: 'localhost', path: '/', headers };
    const { query } = await signer.presign(request, {
      signingDate: NOW,
      expiresIn: 60,
      unsignableHeaders: new Set(['x-amz-content-sha256']),
    });
    const url = `/?${new URLSearchParams(query as Record<string, string>).toString()}`;
    const presigned = requestOf('GET', url, { host: 'localhost:9000' });
    expect(presigned.query.has('X-Amz-Content-Sha256')).toBe(false);
    expect(await kindOf({ ...presigned, bodyHash }, { ...POLICY, services: [service] })).toBe('ok');
  });

  it('accepts whatever the AWS SDK signs, by header and presigned', async () => {
    await fc.assert(
      fc.asyncProperty(keyText, keyText, fc.boolean(), async (key, value, presigned) => {
        const path = `/bucket/${key.split('/').map(uriEncode).join('/')}`;
        const query = { prefix: value, 'list-type': '2', 'flag-only': '' };
        const request = {
          method: 'GET',
          protocol: 'http:',
          hostname: 'localhost',
          path,
          query,
          headers: {
            host: 'localhost:9000',
            'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
            ...(presigned ? {} : { 'x-amz-meta-a': 'b  c' }),
          },
        };
        const signed = presigned
          ? await smithy.presign(request, { signingDate: NOW, expiresIn: 60 })
          : await smithy.sign(request, { signingDate: NOW });
        const search = Object.entries(signed.query ?? {})
          .map(([name, each]) => `${uriEncode(name)}=${uriEncode(String(each))}`)
          .join('&');
        const sent = requestOf('GET', `${path}?${search}`, signed.headers);
        expect(await kindOf(sent)).toBe('ok');
        expect(await kindOf({ ...sent, rawPath: `${sent.rawPath}x` })).toBe('SignatureDoesNotMatch');
      }),
      { numRuns: 60 },
    );
  });

  it('refuses any change of method, path, query or signed header', async () => {
    const request = sign('PUT', '/bucket/key?versionId=1', { 'X-Amz-Meta-A': 'one' });
    expect(await kindOf(request)).toBe('ok');
    expect(await kindOf({ ...request, method: 'DELETE' })).toBe('SignatureDoesNotMatch');
    expect(await kindOf({ ...request, rawPath: '/bucket/other' })).toBe('SignatureDoesNotMatch');
    expect(await kindOf({ ...request, rawPath: '/bucket/./key' })).toBe('SignatureDoesNotMatch');
    expect(await kindOf({ ...request, rawQuery: 'versionId=2' })).toBe('SignatureDoesNotMatch');
    expect(await kindOf({ ...request, rawQuery: '' })).toBe('SignatureDoesNotMatch');
    const headers = { ...request.headers, 'x-amz-meta-a': 'two' };
    expect(await kindOf({ ...request, headers })).toBe('SignatureDoesNotMatch');
  });

  it('refuses x-amz headers added after signing', async () => {
    const request = sign('GET', '/bucket/key');
    const headers = { ...request.headers, 'x-amz-acl': 'public-read' };
    expect(await kindOf({ ...request, headers })).toBe('AccessDenied');
  });

  it('names the expected region, and tells skew, unknown keys and malformed credentials apart', async () => {
    const request = sign('GET', '/bucket/key');
    await expect(verifySignature(request, { ...POLICY, region: 'eu-west-1' }, lookup, NOW)).rejects.toMatchObject({
      kind: 'AuthorizationHeaderMalformed',
      details: { Region: 'eu-west-1' },
    });
    expect(await kindOf(request, POLICY, new Date(NOW.getTime() + 901_000))).toBe('RequestTimeTooSkewed');
    expect(await kindOf(request, POLICY, new Date(NOW.getTime() - 901_000))).toBe('RequestTimeTooSkewed');
    expect(await kindOf(request, { ...POLICY, services: ['execute-api'] })).toBe('AuthorizationHeaderMalformed');
    const authorization = request.headers.authorization as string;
    const changed = (value: string): VerifiableRequest => ({
      ...request,
      headers: { ...request.headers, authorization: value },
    });
    expect(await kindOf(changed(authorization.replace(ACCESS_KEY, 'AKIAUNKNOWN')))).toBe('InvalidAccessKeyId');
    expect(await kindOf(changed(authorization.replace('aws4_request', 'aws5_request')))).toBe(
      'AuthorizationHeaderMalformed',
    );
    expect(await kindOf(changed(authorization.replace(/host;/, '')))).toBe('AuthorizationHeaderMalformed');
    expect(await kindOf(changed('AWS AKIAIOSFODNN7EXAMPLE:c2lnbmF0dXJl'))).toBe('InvalidRequest');
    expect(await kindOf(changed('Basic dXNlcjpwYXNz'))).toBe('InvalidArgument');
    expect(await kindOf(changed('AWS4-HMAC-SHA256 nonsense'))).toBe('AuthorizationHeaderMalformed');
    const refusal = (value: string) => verifySignature(changed(value), POLICY, lookup, NOW);
    await expect(refusal(authorization.replace('Credential', 'Name'))).rejects.toThrow('missing Credential.');
    await expect(refusal(authorization.replace(/,\s*Signature=.*/, ''))).rejects.toThrow('three components');
    // What has no scheme may be a secret as a whole, and is not repeated.
    await expect(refusal('secret')).rejects.toMatchObject({
      kind: 'InvalidArgument',
      details: { ArgumentName: 'Authorization' },
      message: expect.not.stringContaining('secret') as string,
    });
  });

  it('refuses presigned validity outside one second to one week, no time at all as expired', async () => {
    const url = (expires: string): string =>
      `/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${ACCESS_KEY}%2F20261123%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20261123T120000Z&X-Amz-Expires=${expires}&X-Amz-SignedHeaders=host&X-Amz-Signature=${'0'.repeat(64)}`;
    for (const expires of ['-1', '604801', 'soon', '']) {
      expect(await kindOf(requestOf('GET', url(expires), { Host: 'h' }))).toBe('AuthorizationQueryParametersError');
    }
    expect(await kindOf(requestOf('GET', url('0'), { Host: 'h' }))).toBe('AccessDenied');
    expect(await kindOf(requestOf('GET', url('60'), { Host: 'h' }))).toBe('SignatureDoesNotMatch');
    expect(await kindOf(requestOf('GET', url('60'), { Host: 'h', Authorization: 'AWS4-HMAC-SHA256 x' }))).toBe(
      'InvalidArgument',
    );
  });

  it('treats a request without credentials as anonymous', async () => {
    expect(await kindOf(requestOf('GET', '/bucket/key', { Host: 'h' }))).toBe('anonymous');
  });

  it('shows what should have been signed, but neither customer keys nor session tokens', async () => {
    const name = 'x-amz-server-side-encryption-customer-key';
    const request = sign('PUT', '/bucket/key?X-Amz-Security-Token=c2Vzc2lvbg%3D%3D&partNumber=1', {
      [name]: 'c2VjcmV0LWtleQ==',
    });
    const session = { tokenDigest: sessionTokenDigest('c2Vzc2lvbg=='), expiresAt: new Date(NOW.getTime() + 1000) };
    const temporary = (): Promise<Credential> => Promise.resolve({ ...CREDENTIAL, session });
    const failure = await verifySignature({ ...request, method: 'GET' }, POLICY, temporary, NOW).then(
      () => undefined,
      (error: SignatureError) => error,
    );
    const { kind, details } = failure as SignatureError;
    const textOf = (bytes: string | undefined): string =>
      Buffer.from((bytes ?? '').replaceAll(' ', ''), 'hex').toString('utf8');
    expect(kind).toBe('SignatureDoesNotMatch');
    expect(details['CanonicalRequest']).toContain('\nX-Amz-Security-Token=[redacted]&partNumber=1\n');
    expect(details['CanonicalRequest']).toContain(`\n${name}:[redacted]\n`);
    expect(textOf(details['CanonicalRequestBytes'])).toBe(details['CanonicalRequest']);
    expect(details['StringToSignBytes']).toMatch(/^41 57 53 34 2d /);
    expect(textOf(details['StringToSignBytes'])).toBe(details['StringToSign']);
    expect(details['SignatureProvided']).toMatch(/^[0-9a-f]{64}$/);
  });

  it('verifies over the body hash where the face has read the body and no header names it', async () => {
    const body = '{"enabled":true}';
    const bodyHash = createHash('sha256').update(body).digest('hex');
    const canonical = `POST\n/minio/admin\n\nhost:h\nx-amz-date:20261123T120000Z\n\nhost;x-amz-date\n${bodyHash}`;
    const stringToSign = `AWS4-HMAC-SHA256\n20261123T120000Z\n20261123/us-east-1/s3/aws4_request\n${createHash('sha256').update(canonical).digest('hex')}`;
    const chain = ['20261123', 'us-east-1', 's3', 'aws4_request', stringToSign];
    const signature = chain
      .reduce((key, part) => createHmac('sha256', key).update(part).digest(), Buffer.from(`AWS4${SECRET_KEY}`))
      .toString('hex');
    const request = requestOf('POST', '/minio/admin', {
      Host: 'h',
      'X-Amz-Date': '20261123T120000Z',
      Authorization: `AWS4-HMAC-SHA256 Credential=${ACCESS_KEY}/20261123/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=${signature}`,
    });
    expect(await kindOf({ ...request, bodyHash })).toBe('ok');
    expect(await kindOf({ ...request, bodyHash: '0'.repeat(64) })).toBe('SignatureDoesNotMatch');
    expect(await kindOf(request)).toBe('InvalidRequest');
  });
});
