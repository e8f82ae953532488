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

  it('gives what is signed before what is sent unsigned', () => {
    const sent = { 'content-type': 'text/html', 'if-match': '*' };
    const carried = { 'content-type': 'image/png', 'if-match': '"a"' };
    expect(of({ ...FOUR, 'Content-Type': 'image/png', 'If-Match': '"a"' }, sent)).toEqual(carried);
    expect(of({ ...TWO, 'Content-Type': 'image/png' }, sent)).toBeUndefined();
  });

  it('takes an empty Authorization for none, as the verifiers of signatures do', () => {
    expect(of({ ...FOUR, 'x-amz-acl': 'private' }, { authorization: '' })).toEqual({ 'x-amz-acl': 'private' });
    expect(of({ ...TWO, 'x-amz-acl': 'private' }, { authorization: '' })).toEqual({ 'x-amz-acl': 'private' });
  });

  it.each<Record<string, string>>([
    { 'x-amz-meta-a': '1\nx-amz-acl:private' },
    { 'x-amz-meta-a': 'nul\0' },
    { 'Content-Type': 'text/plain\r' },
    { 'x-amz-meta-a:1\nx-amz-acl': 'private' },
    { 'x-amz-checksum-crc32:1\nx-amz-acl': 'private' },
    { 'x-amz-meta-é': 'private' },
  ])('refuses what no header can be: %j', (parameter) => {
    expect(() => of({ ...FOUR, ...parameter })).toThrow(expect.objectContaining({ kind: 'InvalidArgument' }));
    expect(() => of({ ...TWO, ...parameter })).toThrow(expect.objectContaining({ kind: 'InvalidArgument' }));
  });

  it('gives nothing that no signature covers', () => {
    expect(of({ 'x-amz-acl': 'private' })).toBeUndefined();
    expect(of({ ...FOUR, 'x-amz-acl': 'private' }, { authorization: 'AWS4-HMAC-SHA256 x' })).toBeUndefined();
    expect(of({ ...TWO, 'If-Match': 'x' })).toBeUndefined();
  });
});
