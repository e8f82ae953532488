import { parseXml } from '../xml';
import { corsHeaders, corsXml, readCorsRules } from './cors-rules';
import { lifecycleXml, readLifecycle } from './lifecycle-document';

function refusal(work: () => unknown): string {
  try {
    work();
    return 'accepted';
  } catch (error) {
    return (error as { kind: string }).kind;
  }
}

const cors = (inner: string): ReturnType<typeof readCorsRules> =>
  readCorsRules(parseXml(Buffer.from(`<CORSConfiguration>${inner}</CORSConfiguration>`), 'CORSConfiguration'));
const lifecycle = (inner: string): ReturnType<typeof readLifecycle> =>
  readLifecycle(
    parseXml(Buffer.from(`<LifecycleConfiguration>${inner}</LifecycleConfiguration>`), 'LifecycleConfiguration'),
  );

const ANY_GET = '<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>';

describe('CORS rules', () => {
  const rules = cors(`
    <CORSRule><AllowedOrigin>https://*.example.org</AllowedOrigin><AllowedMethod>PUT</AllowedMethod>
      <AllowedHeader>X-Amz-Meta-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>60</MaxAgeSeconds></CORSRule>
    <CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>`);

  it('answers by the first rule that allows origin, method and every header', () => {
    const question = { origin: 'https://a.example.org', method: 'PUT', headers: ['x-amz-meta-a'] };
    expect(corsHeaders(rules, question)).toEqual({
      'Access-Control-Allow-Origin': 'https://a.example.org',
      'Access-Control-Allow-Methods': 'PUT',
      'Access-Control-Allow-Headers': 'x-amz-meta-a',
      'Access-Control-Allow-Credentials': 'true',
      'Access-Control-Expose-Headers': 'ETag',
      'Access-Control-Max-Age': '60',
      Vary: 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method',
    });
    expect(corsHeaders(rules, { ...question, headers: ['x-amz-meta-a', 'range'] })).toBeUndefined();
    expect(corsHeaders(rules, { ...question, origin: 'https://example.com' })).toBeUndefined();
    expect(corsHeaders(rules, { origin: 'null', method: 'GET', headers: [] })).toMatchObject({
      'Access-Control-Allow-Origin': '*',
    });
  });

  it('writes what it read', () => {
    expect(readCorsRules(parseXml(Buffer.from(corsXml(rules)), 'CORSConfiguration'))).toEqual(rules);
  });

  it.each([
    ['', 'MalformedXML'],
    ['<CORSRule><AllowedMethod>GET</AllowedMethod></CORSRule>', 'MalformedXML'],
    ['<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>PATCH</AllowedMethod></CORSRule>', 'InvalidRequest'],
    ['<CORSRule><AllowedOrigin>*.*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>', 'InvalidRequest'],
    [`${ANY_GET}<AllowedHeader>X-A, X-B</AllowedHeader></CORSRule>`, 'InvalidRequest'],
    [`${ANY_GET}<ExposeHeader>ETag:</ExposeHeader></CORSRule>`, 'InvalidRequest'],
    [`${ANY_GET}<ExposeHeader>x-amz-*</ExposeHeader></CORSRule>`, 'InvalidRequest'],
    [`${ANY_GET}<AllowedHeader>*</AllowedHeader><ExposeHeader>x-amz-id-2</ExposeHeader></CORSRule>`, 'accepted'],
    [`${ANY_GET}</CORSRule>`.repeat(100), 'accepted'],
    [`${ANY_GET}</CORSRule>`.repeat(101), 'InvalidRequest'],
  ])('judges %s', (inner, code) => {
    expect(refusal(() => cors(inner))).toBe(code);
  });
});

describe('lifecycle documents', () => {
  const rule = (inner: string): string => `<Rule><ID>r</ID><Status>Enabled</Status>${inner}</Rule>`;
  const EXPIRE = '<Expiration><Days>3</Days></Expiration>';
  const tag = (key: string, value: string): string => `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`;
  const transition = (when: string, storageClass = 'GLACIER'): string =>
    `<Transition>${when}<StorageClass>${storageClass}</StorageClass></Transition>`;

  it.each([
    rule(`<Prefix>logs/</Prefix>${EXPIRE}`),
    rule(`<Filter/>${EXPIRE}`),
    rule(`<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>${EXPIRE}`),
    rule(
      `<Filter><And><Prefix>p</Prefix><Tag><Key>k</Key><Value>v</Value></Tag><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></And></Filter><Expiration><Date>2030-01-01T00:00:00Z</Date></Expiration>`,
    ),
    rule(
      '<Filter/><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>2</NewerNoncurrentVersions></NoncurrentVersionExpiration><AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>',
    ),
    rule(`<Filter/>${transition('<Days>0</Days>')}`),
    rule(`<Filter/>${EXPIRE}${transition('<Days>1</Days>')}${transition('<Days>2</Days>', 'DEEP_ARCHIVE')}`),
    rule(`<Filter><And><Prefix/>${tag('k', '')}</And></Filter>${EXPIRE}`),
    rule(
      `<Filter/><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>${transition('<Date>2030-01-01T00:00:00Z</Date>')}`,
    ),
  ])('writes what it read: %s', (inner) => {
    const rules = lifecycle(inner);
    expect(readLifecycle(parseXml(Buffer.from(lifecycleXml(rules)), 'LifecycleConfiguration'))).toEqual(rules);
  });

  it('gives a rule without an id one of its own', () => {
    const [read] = lifecycle(`<Rule><Status>Disabled</Status><Filter/>${EXPIRE}</Rule>`);
    expect(read?.id).toMatch(/^[0-9a-f-]{36}$/);
    expect(read?.enabled).toBe(false);
  });

  it.each([
    ['no rules', '', 'MalformedXML'],
    ['an unknown status', `<Rule><Status>enabled</Status><Filter/>${EXPIRE}</Rule>`, 'MalformedXML'],
    ['no action', rule('<Filter/>'), 'MalformedXML'],
    ['filter and prefix', rule(`<Filter/><Prefix/>${EXPIRE}`), 'MalformedXML'],
    [
      'two terms without And',
      rule(`<Filter><Prefix>a</Prefix><ObjectSizeLessThan>5</ObjectSizeLessThan></Filter>${EXPIRE}`),
      'MalformedXML',
    ],
    ['no days', rule('<Filter/><Expiration><Days>0</Days></Expiration>'), 'InvalidArgument'],
    ['days and date', rule('<Filter/><Expiration><Days>1</Days><Date>2030-01-01</Date></Expiration>'), 'MalformedXML'],
    ['a date that is none', rule('<Filter/><Expiration><Date>20200101</Date></Expiration>'), 'MalformedXML'],
    ['a time of day', rule('<Filter/><Expiration><Date>2030-01-01T01:00:00Z</Date></Expiration>'), 'InvalidArgument'],
    ['the same id twice', rule(`<Filter/>${EXPIRE}`) + rule(`<Filter/>${EXPIRE}`), 'InvalidArgument'],
    [
      'too long an id',
      `<Rule><ID>${'a'.repeat(256)}</ID><Status>Enabled</Status><Filter/>${EXPIRE}</Rule>`,
      'InvalidArgument',
    ],
    ['a long prefix', rule(`<Prefix>${'a'.repeat(1025)}</Prefix>${EXPIRE}`), 'InvalidRequest'],
    [
      'a long prefix of a filter',
      rule(`<Filter><Prefix>${'é'.repeat(513)}</Prefix></Filter>${EXPIRE}`),
      'InvalidRequest',
    ],
    ['a long key', rule(`<Filter>${tag('k'.repeat(129), 'v')}</Filter>${EXPIRE}`), 'InvalidRequest'],
    ['a tag without a key', rule(`<Filter>${tag('', 'v')}</Filter>${EXPIRE}`), 'InvalidRequest'],
    ['a long value', rule(`<Filter>${tag('k', 'v'.repeat(257))}</Filter>${EXPIRE}`), 'InvalidRequest'],
    ['a key twice', rule(`<Filter><And>${tag('k', 'v')}${tag('k', 'w')}</And></Filter>${EXPIRE}`), 'InvalidRequest'],
    ['And of a prefix', rule(`<Filter><And><Prefix>a</Prefix></And></Filter>${EXPIRE}`), 'MalformedXML'],
    ['And of a tag', rule(`<Filter><And>${tag('k', 'v')}</And></Filter>${EXPIRE}`), 'MalformedXML'],
    ['days beyond 31 bits', rule('<Filter/><Expiration><Days>2147483648</Days></Expiration>'), 'MalformedXML'],
    ['negative days', rule(`<Filter/>${transition('<Days>-1</Days>')}`), 'InvalidArgument'],
    [
      'a class twice',
      rule(`<Filter/>${transition('<Days>1</Days>')}${transition('<Days>2</Days>')}`),
      'InvalidRequest',
    ],
    [
      'transitions by days and by date',
      rule(`<Filter/>${transition('<Days>1</Days>')}${transition('<Date>2030-01-01</Date>', 'DEEP_ARCHIVE')}`),
      'InvalidRequest',
    ],
    [
      'a transition by date and an expiration by days',
      rule(`<Filter/>${EXPIRE}${transition('<Date>2030-01-01</Date>')}`),
      'InvalidRequest',
    ],
    [
      'a transition by days and an expiration by date',
      rule(`<Filter/><Expiration><Date>2030-01-01</Date></Expiration>${transition('<Days>1</Days>')}`),
      'InvalidRequest',
    ],
    [
      'tags with delete markers',
      rule(
        '<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>',
      ),
      'InvalidRequest',
    ],
  ])('refuses %s', (_, inner, code) => {
    expect(refusal(() => lifecycle(inner))).toBe(code);
  });
});
