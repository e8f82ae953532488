import * as fc from 'fast-check';
import type { S3Error } from './s3-error';
import { parseXml } from './xml';
import { element, escapeXml, textElement, xmlDocument } from './xml-writer';

function refusal(source: string | Buffer): string {
  try {
    parseXml(Buffer.from(source), 'Delete');
    return 'accepted';
  } catch (error) {
    return (error as S3Error).kind;
  }
}

describe('parseXml', () => {
  it('keeps text verbatim and never guesses numbers', () => {
    const document = parseXml(
      Buffer.from(
        '<?xml version="1.0"?><Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>00123</Key></Object><Object><Key> 1e5 </Key></Object><Object><Key>a&amp;#13;b&#13;&#x20ac;&lt;</Key></Object><Object><Key><![CDATA[<x>&amp;]]></Key></Object></Delete>',
      ),
      'Delete',
    );
    expect(document.all('Object').map((object) => object.required('Key'))).toEqual([
      '00123',
      ' 1e5 ',
      'a&#13;b\r€<',
      '<x>&amp;',
    ]);
  });

  it('tells attributes without their namespaces', () => {
    const source = '<Delete xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="A b" Id=\'y\'/>';
    const { attributes } = parseXml(Buffer.from(source), 'Delete');
    expect(attributes.get('type')).toBe('A b');
    expect(attributes.get('Id')).toBe('y');
    expect(parseXml(Buffer.from('<Delete/>')).attributes.size).toBe(0);
    expect(refusal('<Delete a="1" a="2"/>')).toBe('MalformedXML');
    expect(refusal('<Delete __proto__="x"/>')).toBe('MalformedXML');
  });

  it('reads whatever the writer wrote', () => {
    const texts = fc.string({ unit: 'binary', maxLength: 60 }).filter((text) => !text.includes('\0'));
    fc.assert(
      fc.property(fc.array(texts, { maxLength: 5 }), (keys) => {
        const source = xmlDocument('Delete', keys.map((key) => element('Object', textElement('Key', key))).join(''));
        const objects = parseXml(Buffer.from(source), 'Delete').all('Object');
        expect(objects.map((object) => object.required('Key'))).toEqual(keys);
      }),
    );
  });

  it('refuses document types, entities, other roots and anything not well formed', () => {
    expect(refusal('<Delete/>')).toBe('accepted');
    expect(refusal('<Delete><Key>a\0b</Key></Delete>')).toBe('MalformedXML');
    expect(refusal('<Delete><Key>a&#0;b</Key></Delete>')).toBe('MalformedXML');
    const bomb = '<!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><Delete>&b;</Delete>';
    expect(refusal(bomb)).toBe('MalformedXML');
    expect(refusal('<!doctype d><Delete/>')).toBe('MalformedXML');
    expect(refusal('<Delete>&b;</Delete>')).toBe('MalformedXML');
    expect(refusal('<Delete>&nbsp;</Delete>')).toBe('MalformedXML');
    expect(refusal('<Delete>a & b</Delete>')).toBe('MalformedXML');
    expect(refusal('<Delete>&#0;</Delete>')).toBe('MalformedXML');
    expect(refusal('<Delete>&#xd800;</Delete>')).toBe('MalformedXML');
    expect(refusal('<Other/>')).toBe('MalformedXML');
    expect(refusal('<Delete/><Delete/>')).toBe('MalformedXML');
    expect(refusal('<Delete><Object></Delete>')).toBe('MalformedXML');
    expect(refusal('<Delete')).toBe('MalformedXML');
    expect(refusal('')).toBe('MissingRequestBodyError');
    expect(refusal('{"Delete":{}}')).toBe('MalformedXML');
    expect(refusal('<__proto__/>')).toBe('MalformedXML');
    expect(refusal(Buffer.from([0x3c, 0xff, 0x3e]))).toBe('MalformedXML');
    expect(refusal(`<Delete>${'<a>'.repeat(40)}${'</a>'.repeat(40)}</Delete>`)).toBe('MalformedXML');
  });

  it('fails with an S3 error on whatever bytes come', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('<', '>', '/', 'Delete', '&', ';', '!', '[', ']', '?', '"', ' ', '#x1') }),
        (text) => {
          expect(['accepted', text === '' ? 'MissingRequestBodyError' : 'MalformedXML']).toContain(refusal(text));
        },
      ),
    );
  });
});

describe('escapeXml', () => {
  it('writes what XML cannot carry as references', () => {
    expect(escapeXml('plain')).toBe('plain');
    expect(escapeXml(`<a & "b's">`)).toBe('&lt;a &amp; &quot;b&apos;s&quot;&gt;');
    expect(escapeXml('\u0001\r\n\t')).toBe('&#x1;&#xD;\n\t');
  });
});
