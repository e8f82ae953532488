import { canonicalContextText } from './encryption-context';

describe('canonicalContextText', () => {
  it('sorts by UTF-8 bytes and stays compact', () => {
    expect(canonicalContextText({})).toBe('{}');
    expect(canonicalContextText({ b: '2', a: '1' })).toBe('{"a":"1","b":"2"}');
    expect(canonicalContextText({ '\u{1f600}': '2', '\uffee': '1' })).toBe('{"\uffee":"1","\u{1f600}":"2"}');
  });

  it('escapes as the escapeStringJSON of MinIO internal/kms/context.go does', () => {
    expect(canonicalContextText({ 'some-obj': '/test/a\u0001' })).toBe('{"some-obj":"/test/a\\u0001"}');
    expect(canonicalContextText({ 'a<b>&': '"\\\n\r\t\b\f\u2028\u2029' })).toBe(
      '{"a\\u003cb\\u003e\\u0026":"\\"\\\\\\n\\r\\t\\u0008\\u000c\\u2028\\u2029"}',
    );
  });

  it('parses back to the same pairs', () => {
    const context = { 'arn:aws:s3': 'bucket/ö <&>', __proto: 'x' };
    expect(JSON.parse(canonicalContextText(context))).toEqual(context);
  });
});
