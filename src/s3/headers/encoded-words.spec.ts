import * as fc from 'fast-check';
import { fromEncodedWords, toEncodedWords } from './encoded-words';

describe('encoded words', () => {
  // What S3 answers for these values.
  it.each([
    ['plain ~\t"=_?', 'plain ~\t"=_?'],
    ['ÄMÄZÕÑ S3', '=?UTF-8?Q?=C3=84M=C3=84Z=C3=95=C3=91_S3?='],
    ['a_—_b%20👑.pdf', '=?UTF-8?Q?a=5F=E2=80=94=5Fb%20=F0=9F=91=91.pdf?='],
    ['\0\x01\x02\x03\x04', '=?UTF-8?B?AAECAwQ=?='],
    ['\ufffda\ufffd', '=?UTF-8?B?77+9Ye+/vQ==?='],
  ])('writes %j as S3 does', (text, header) => {
    expect(toEncodedWords(text)).toBe(header);
  });

  it.each([
    ['=?UTF-8?Q?in_fact_ascii?=', 'in fact ascii'],
    ['=?utf-8?b?YWJj?=', 'abc'],
    ['=?ISO-8859-1?q?caf=E9?= today', 'café today'],
    ['=?UTF-8?B?YQ==?= \t=?UTF-8?B?Yg==?=', 'ab'],
    ['=?UTF-8?B?/w==?=', '\ufffd'],
    ['=?no-such-set?Q?a?=', '=?no-such-set?Q?a?='],
    ['=?UTF-8?X?a?= a=?b', '=?UTF-8?X?a?= a=?b'],
  ])('reads %j', (header, text) => {
    expect(fromEncodedWords(header)).toBe(text);
  });

  it('brings back every text, in words no longer than RFC 2047 allows', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), (text) => {
        fc.pre(!/^[\x20-\x7e\t]*$/.test(text));
        const header = toEncodedWords(text);
        expect(header).toMatch(/^[\x21-\x7e]{1,75}( [\x21-\x7e]{1,75})*$/);
        expect(fromEncodedWords(header)).toBe(text);
      }),
    );
  });
});
