import { Secret } from '../../common/secret';
import type { Credential } from '../identity.types';
import { legacySignatureOf } from './legacy-signature';
import { hasLegacySignature, verifyLegacySignature } from './legacy-signature-verifier';
import { legacyStringToSign, type LegacySignedRequest } from './string-to-sign';

/** Requests and signatures of "Signing and authenticating REST requests" in the Amazon S3 User Guide. */
const ACCESS_KEY = 'AKIAIOSFODNN7EXAMPLE';
const SECRET_KEY = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';

const credential: Credential = {
  accessKeyId: ACCESS_KEY,
  secretKey: new Secret(SECRET_KEY),
  principal: { kind: 'user', name: 'john', ownerId: 'john' },
  status: 'enabled',
};
const lookup = (id: string): Promise<Credential | undefined> =>
  Promise.resolve(id === ACCESS_KEY ? credential : undefined);

function request(
  method: string,
  resourcePath: string,
  headers: Record<string, string>,
  query: Record<string, string> = {},
): LegacySignedRequest {
  return { method, resourcePath, headers, query: new Map(Object.entries(query)) };
}

function authorized(signature: string, date: string, base: LegacySignedRequest): LegacySignedRequest {
  return { ...base, headers: { ...base.headers, date, authorization: `AWS ${ACCESS_KEY}:${signature}` } };
}

const GET_DATE = 'Tue, 27 Mar 2007 19:36:42 +0000';
const get = authorized('bWq2s1WEIj+Ydj0vQ697zp+IXMU=', GET_DATE, request('GET', '/johnsmith/photos/puppy.jpg', {}));
const put = authorized(
  'MyyxeRY7whkBe+bq8fHCL/2kKUg=',
  'Tue, 27 Mar 2007 21:15:45 +0000',
  request('PUT', '/johnsmith/photos/puppy.jpg', { 'content-type': 'image/jpeg', 'content-length': '94328' }),
);
const acl = authorized(
  'c2WLPFtWHVgbEmeEG93a4cG37dM=',
  'Tue, 27 Mar 2007 19:44:46 +0000',
  request('GET', '/johnsmith/', {}, { acl: '' }),
);
const list = authorized(
  'htDYFYduRNen8P9ZfE/s9SuKy0U=',
  'Tue, 27 Mar 2007 19:42:41 +0000',
  request('GET', '/johnsmith/', {}, { prefix: 'photos', 'max-keys': '50', marker: 'puppy' }),
);

async function verdict(signed: LegacySignedRequest, now = new Date(GET_DATE)): Promise<string> {
  try {
    return (await verifyLegacySignature(signed, 900, lookup, now)).principal.name;
  } catch (error) {
    return (error as { kind: string }).kind;
  }
}

describe('verifyLegacySignature', () => {
  it.each([
    ['a download', get],
    ['an upload', put],
    ['a sub-resource', acl],
    ['a listing, whose parameters are not signed', list],
  ])('accepts %s of the user guide', async (_, signed) => {
    expect(await verdict(signed, new Date(signed.headers['date'] as string))).toBe('john');
  });

  it('accepts a bucket whose path was signed with a slash that was not sent, as boto does', async () => {
    expect(await verdict({ ...acl, resourcePath: '/johnsmith' }, new Date(acl.headers['date'] as string))).toBe('john');
  });

  it('signs headers and parameters that are not ASCII by the bytes on the wire', async () => {
    const onWire = { 'x-amz-meta-name': Buffer.from('你好').toString('latin1') };
    const disposition = new Map([['response-content-disposition', 'attachment; filename="ü"']]);
    const signed = `GET\n\n\n${GET_DATE}\nx-amz-meta-name:你好\n/b/k?response-content-disposition=attachment; filename="ü"`;
    const base = { ...request('GET', '/b/k', onWire), query: disposition };
    expect(await verdict(authorized(legacySignatureOf(SECRET_KEY, signed), GET_DATE, base))).toBe('john');
    const changed = { ...base, headers: { 'x-amz-meta-name': Buffer.from('你们').toString('latin1') } };
    expect(await verdict(authorized(legacySignatureOf(SECRET_KEY, signed), GET_DATE, changed))).toBe(
      'SignatureDoesNotMatch',
    );
  });

  it('refuses anything that was changed after signing', async () => {
    expect(await verdict({ ...get, method: 'DELETE' })).toBe('SignatureDoesNotMatch');
    expect(await verdict({ ...get, resourcePath: '/johnsmith/photos/kitten.jpg' })).toBe('SignatureDoesNotMatch');
    expect(await verdict({ ...get, query: new Map([['acl', '']]) })).toBe('SignatureDoesNotMatch');
    expect(await verdict({ ...get, headers: { ...get.headers, 'x-amz-acl': 'public-read' } })).toBe(
      'SignatureDoesNotMatch',
    );
    expect(await verdict({ ...get, headers: { ...get.headers, 'content-type': 'text/plain' } })).toBe(
      'SignatureDoesNotMatch',
    );
  });

  it('tells stale, undated, foreign and malformed credentials apart', async () => {
    expect(await verdict(get, new Date('2007-03-27T20:36:42Z'))).toBe('RequestTimeTooSkewed');
    expect(await verdict({ ...get, headers: { authorization: get.headers['authorization'] } })).toBe('AccessDenied');
    expect(await verdict({ ...get, headers: { ...get.headers, 'x-amz-date': 'Tue, 07 Jul 1950 21:53:04 GMT' } })).toBe(
      'AccessDenied',
    );
    expect(await verdict({ ...get, headers: { ...get.headers, authorization: 'AWS NOBODY:c2ln' } })).toBe(
      'InvalidAccessKeyId',
    );
    expect(await verdict({ ...get, headers: { ...get.headers, authorization: 'AWS nothing' } })).toBe(
      'InvalidArgument',
    );
    expect(await verdict({ ...get, query: new Map([['Signature', 'x']]) })).toBe('InvalidArgument');
  });

  it('bounds a presigned URL by its own time', async () => {
    const base = request('GET', '/b/k', {}, {});
    const expires = String(Date.parse(GET_DATE) / 1000 + 60);
    const signature = legacySignatureOf(SECRET_KEY, legacyStringToSign(base, expires));
    const query = { AWSAccessKeyId: ACCESS_KEY, Expires: expires, Signature: signature };
    const presigned = request('GET', '/b/k', {}, query);
    expect(await verdict(presigned)).toBe('john');
    expect(await verdict(presigned, new Date(Date.parse(GET_DATE) + 61_000))).toBe('AccessDenied');
    expect(await verdict(request('GET', '/b/k', {}, { ...query, Expires: String(Number(expires) + 1) }))).toBe(
      'SignatureDoesNotMatch',
    );
    expect(await verdict(request('GET', '/b/k', {}, { ...query, Expires: 'soon' }))).toBe('AccessDenied');
    expect(await verdict(request('GET', '/b/k', {}, { AWSAccessKeyId: ACCESS_KEY, Signature: signature }))).toBe(
      'AccessDenied',
    );
  });

  it('takes the headers of a presigned URL from its parameters too, as boto writes them', async () => {
    const expires = String(Date.parse(GET_DATE) / 1000 + 60);
    const headers = { 'x-amz-acl': 'private', 'content-type': 'text/plain' };
    const signature = legacySignatureOf(SECRET_KEY, legacyStringToSign(request('PUT', '/b/k', headers), expires));
    const query = { AWSAccessKeyId: ACCESS_KEY, Expires: expires, Signature: signature };
    expect(await verdict(request('PUT', '/b/k', {}, { ...headers, ...query }))).toBe('john');
    expect(await verdict(request('PUT', '/b/k', headers, query))).toBe('john');
    expect(await verdict(request('PUT', '/b/k', {}, { ...headers, ...query, 'x-amz-acl': 'public-read' }))).toBe(
      'SignatureDoesNotMatch',
    );
  });
});

describe('hasLegacySignature', () => {
  it('leaves every other kind of request alone', () => {
    expect(hasLegacySignature({}, new Map())).toBe(false);
    expect(hasLegacySignature({ authorization: 'AWS4-HMAC-SHA256 x' }, new Map([['Signature', 'x']]))).toBe(false);
    expect(hasLegacySignature({}, new Map([['X-Amz-Algorithm', 'AWS4-HMAC-SHA256']]))).toBe(false);
    expect(hasLegacySignature({}, new Map([['AWSAccessKeyId', 'x']]))).toBe(true);
    expect(hasLegacySignature({ authorization: 'AWS a:b' }, new Map())).toBe(true);
  });
});
