import { queryHeaders } from './query-headers';

describe('queryHeaders', () => {
  const FOUR = { 'X-Amz-Algorithm': 'AWS4-HMAC-SHA256', 'X-Amz-Signature': '0' };
  const TWO = { AWSAccessKeyId: 'key', Signature: '0', Expires: '1' };
  const of = (query: Record<string, string>, headers: Record<string, string> = {}): object | undefined =>
    queryHeaders(headers, new Map(Object.entries(query)));

  it('gives what a signed URL carries, in the bytes of its UTF-8', () => {
    expect(of({ ...FOUR, 'If-None-Match': '*', 'x-amz-meta-a': 'é', prefix: 'x' })).toEqual({
      'if-none-match': '*',
      'x-amz-meta-a': '\u00c3\u00a9',
    });
    expect(of({ ...TWO, 'content-md5': 'x', 'x-amz-acl': 'private' })).toEqual({
      'content-md5': 'x',
      'x-amz-acl': 'private',
    });
  });

  it('leaves out what is no header, what was sent, and what tells of the signature or the body', () => {
    expect(of({ ...FOUR, 'x-amz-checksum-crc32': 'AAAAAA==', 'X-Amz-Date': '1' })).toBeUndefined();
    expect(of({ ...FOUR, 'x-amz-acl': 'private' }, { 'x-amz-acl': 'public-read' })).toBeUndefined();
  });

  it('gives nothing that no signature covers', () => {
    expect(of({ 'x-amz-acl': 'private' })).toBeUndefined();
    expect(of({ ...FOUR, 'x-amz-acl': 'private' }, { authorization: 'AWS4-HMAC-SHA256 x' })).toBeUndefined();
    expect(of({ ...TWO, 'If-Match': 'x' })).toBeUndefined();
  });
});
