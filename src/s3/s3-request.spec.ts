import * as fc from 'fast-check';
import { uriEncode } from '../identity/sigv4/canonical-request';
import { urlEncodeName } from './percent-decoding';
import { S3Error } from './s3-error';
import { parseS3Request } from './s3-request';

function addressOf(target: string, host = 'localhost:9000', domains: readonly string[] = []): string[] {
  const { bucket, key } = parseS3Request(target, host, domains);
  return [bucket, key];
}

function kindOf(target: string): string {
  try {
    parseS3Request(target, 'localhost', []);
    return 'accepted';
  } catch (error) {
    return (error as S3Error).kind;
  }
}

describe('parseS3Request', () => {
  it('keeps every character of a key as it is', () => {
    expect(addressOf('/bucket/a//b')).toEqual(['bucket', 'a//b']);
    expect(addressOf('/bucket/../x')).toEqual(['bucket', '../x']);
    expect(addressOf('/bucket/./a/.')).toEqual(['bucket', './a/.']);
    expect(addressOf('/bucket//')).toEqual(['bucket', '/']);
    expect(addressOf('/bucket/a%2Fb')).toEqual(['bucket', 'a/b']);
    expect(addressOf('/bucket/a+b%20c')).toEqual(['bucket', 'a+b c']);
    expect(addressOf('/bucket/%E2%82%AC')).toEqual(['bucket', '€']);
    expect(addressOf(`/bucket/${Buffer.from('€').toString('latin1')}`)).toEqual(['bucket', '€']);
    expect(addressOf('/bucket/%EF%BB%BFx')).toEqual(['bucket', '\ufeffx']);
  });

  it('gives back any key that was percent-encoded', () => {
    const keys = fc.string({ unit: 'binary', minLength: 1, maxLength: 200 }).filter((key) => !key.includes('\0'));
    fc.assert(
      fc.property(keys, (key) => {
        expect(addressOf(`/bucket/${uriEncode(key)}`)).toEqual(['bucket', key]);
        expect(decodeURIComponent(urlEncodeName(key))).toBe(key);
      }),
    );
  });

  it('tells service, bucket and object apart', () => {
    expect(parseS3Request('/', undefined, []).resource).toBe('service');
    expect(parseS3Request('/?prefix=a', undefined, []).resource).toBe('service');
    expect(parseS3Request('/bucket', undefined, []).resource).toBe('bucket');
    expect(parseS3Request('/bucket/?acl', undefined, []).resource).toBe('bucket');
    expect(parseS3Request('/bucket/key', undefined, []).resource).toBe('object');
    expect(addressOf('http://proxy.example:9000/bucket/key')).toEqual(['bucket', 'key']);
  });

  it('takes the bucket from the host where a base domain is configured', () => {
    const domains = ['s3.example', 'eu.s3.example'];
    expect(addressOf('/key', 'bucket.s3.example:9000', domains)).toEqual(['bucket', 'key']);
    expect(addressOf('/key', 'my.bucket.S3.example', domains)).toEqual(['my.bucket', 'key']);
    expect(addressOf('/key', 'bucket.eu.s3.example', domains)).toEqual(['bucket', 'key']);
    expect(addressOf('/bucket/key', 'eu.s3.example', domains)).toEqual(['bucket', 'key']);
    expect(addressOf('/bucket/key', '127.0.0.1:9000', domains)).toEqual(['bucket', 'key']);
    expect(addressOf('/bucket/key', 'evils3.example', domains)).toEqual(['bucket', 'key']);
    expect(parseS3Request('/', 'bucket.s3.example', domains).resource).toBe('bucket');
    expect(addressOf('//', 'bucket.s3.example', domains)).toEqual(['bucket', '/']);
  });

  it('refuses what no key can be', () => {
    expect(kindOf('/bucket/%zz')).toBe('InvalidURI');
    expect(kindOf('/bucket/%e')).toBe('InvalidURI');
    expect(kindOf('/bucket/%ff')).toBe('InvalidURI');
    expect(kindOf('/bucket/%ed%a0%80')).toBe('InvalidURI');
    expect(kindOf('/bucket/a%00b')).toBe('InvalidURI');
    expect(kindOf('//key')).toBe('InvalidURI');
    expect(kindOf('*')).toBe('InvalidURI');
    expect(kindOf('/bucket?prefix=%')).toBe('InvalidURI');
    expect(kindOf(`/bucket/${'k'.repeat(1024)}`)).toBe('accepted');
    expect(kindOf(`/bucket/${'k'.repeat(1025)}`)).toBe('KeyTooLongError');
    expect(kindOf(`/bucket/${'%E2%82%AC'.repeat(342)}`)).toBe('KeyTooLongError');
  });

  it('never fails but with an S3 error', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), fc.string({ maxLength: 20 }), (target, host) => {
        try {
          parseS3Request(`/${target}`, host, ['example']);
        } catch (error) {
          expect(error).toBeInstanceOf(S3Error);
        }
      }),
    );
  });

  it('decodes queries: first of equal names, plus as blank, no value as empty', () => {
    const { query } = parseS3Request('/b?a=1&a=2&acl&x%20y=+z&=e', undefined, []);
    expect([...query]).toEqual([
      ['a', '1'],
      ['acl', ''],
      ['x y', ' z'],
      ['', 'e'],
    ]);
  });
});
