import { canonicalContext } from './canonical-context';

describe('canonicalContext', () => {
  it.each([
    [{}, '{}'],
    [{ b: '2', a: '1' }, '{"a":"1","b":"2"}'],
    [{ bucket: 'bucket/a&b<c>' }, '{"bucket":"bucket/a\\u0026b\\u003cc\\u003e"}'],
    [{ k: 'quote" back\\ nl\n tab\t bs\b ff\f sep\u2028' }, '{"k":"quote\\" back\\\\ nl\\n tab\\t bs\\u0008 ff\\u000c sep\\u2028"}'],
    [{ k: 'é😀' }, '{"k":"é😀"}'],
  ])('spells %j as kms.Context of MinIO does', (context, text) => {
    expect(canonicalContext(context).toString('utf8')).toBe(text);
  });

  it('sorts keys by their UTF-8 bytes, not by UTF-16 units', () => {
    expect(canonicalContext({ '\u{1F600}': '1', '\uFF5E': '2' }).toString('utf8')).toBe('{"\uFF5E":"2","\u{1F600}":"1"}');
  });

  it('is JSON of the same pairs', () => {
    const context = { 'a<b>&': '"\\\n\r\t\b\f\u2028\u2029', plain: 'ö' };
    expect(JSON.parse(canonicalContext(context).toString('utf8'))).toEqual(context);
  });
});
