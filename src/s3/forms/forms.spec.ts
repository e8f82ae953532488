import * as fc from 'fast-check';
import { readMultipartForm } from './multipart-form';
import { checkPostPolicy } from './post-policy';

const TYPE = 'multipart/form-data; boundary=frontier';
const NOW = new Date('2030-01-01T00:00:00Z');

async function* pieces(text: string | Buffer, size: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) {
    await Promise.resolve();
    yield bytes.subarray(at, at + size);
  }
}

function part(name: string, value: string, more = ''): string {
  return `--frontier\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${value}\r\n`;
}

async function read(text: string, size = 7, type = TYPE): Promise<{ fields: object; name?: string; file: string }> {
  const form = await readMultipartForm(pieces(text, size), type);
  const file: Buffer[] = [];
  for await (const piece of form.file) {
    file.push(piece);
  }
  return { fields: Object.fromEntries(form.fields), name: form.fileName, file: Buffer.concat(file).toString('latin1') };
}

async function refusal(work: () => unknown): Promise<string> {
  try {
    await work();
    return 'accepted';
  } catch (error) {
    return (error as { kind?: string }).kind ?? String(error);
  }
}

describe('readMultipartForm', () => {
  it('gives fields, file name and file, and ignores what follows the file', async () => {
    const text = `${part('key', 'a/${filename}')}${part('Key', 'second')}${part('file', 'x\r\n--frontie', '; filename="C:\\dir\\ü%22.txt"')}${part('submit', 'go')}--frontier--\r\n`;
    expect(await read(text)).toEqual({ fields: { key: 'a/${filename}' }, name: 'ü".txt', file: 'x\r\n--frontie' });
  });

  it('knows a file without a name from one that has an empty one', async () => {
    expect((await read(`${part('file', 'x')}--frontier--`)).name).toBeUndefined();
    expect((await read(`${part('file', 'x', '; filename=""')}--frontier--`)).name).toBe('');
  });

  it('reads any file byte for byte, however the body is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'binary-ascii', maxLength: 200 }),
        fc.integer({ min: 1, max: 50 }),
        async (file, size) => {
          fc.pre(!file.includes('\r\n--frontier'));
          expect((await read(`${part('key', 'k')}${part('file', file)}--frontier--`, size)).file).toBe(file);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('never fails with anything but a refusal', async () => {
    const token = fc.constantFrom(
      '--frontier',
      '\r\n',
      '--',
      'Content-Disposition: form-data; name="file"',
      'x',
      '"',
      ';',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(token, { maxLength: 30 }), async (tokens) => {
        expect(await refusal(() => read(tokens.join('')))).toMatch(/^(accepted|MalformedPOSTRequest|InvalidArgument)$/);
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    ['no boundary', part('file', 'x'), 'text/plain', 'MalformedPOSTRequest'],
    ['no file', `${part('key', 'k')}--frontier--`, TYPE, 'InvalidArgument'],
    [
      'an early end',
      `${part('key', 'k')}--frontier\r\nContent-Disposition: form-data; name="file"\r\n\r\nhalf`,
      TYPE,
      'MalformedPOSTRequest',
    ],
    [
      'a part without name',
      '--frontier\r\nContent-Disposition: form-data\r\n\r\nx\r\n--frontier--',
      TYPE,
      'MalformedPOSTRequest',
    ],
    ['fields without end', part('key', 'k'.repeat(20_480)), TYPE, 'MaxPostPreDataLengthExceeded'],
  ])('refuses %s', async (_, text, type, code) => {
    expect(await refusal(() => read(text, 1000, type))).toBe(code);
  });
});

describe('what is refused before the file', () => {
  it('is counted as S3 counts it', async () => {
    const details = async (text: string): Promise<unknown> => {
      try {
        return await read(text, 1000);
      } catch (error) {
        return (error as { details: unknown }).details;
      }
    };
    expect(await details(part('key', 'k'.repeat(20_480)))).toEqual({ MaxPostPreDataLengthBytes: '20480' });
    expect(await details(`${part('key', 'k')}--frontier--`)).toEqual({ ArgumentName: 'file', ArgumentValue: '0' });
    expect(await details(`${part('key', 'k'.repeat(20_000))}${part('file', 'x')}--frontier--`)).toMatchObject({
      file: 'x',
    });
  });

  it('keeps the names of fields as they were sent', async () => {
    const form = await readMultipartForm(
      pieces(`${part('StorageClass', 'x')}${part('File', 'x')}--frontier--`, 9),
      TYPE,
    );
    expect([...form.names]).toEqual([['storageclass', 'StorageClass']]);
    expect(form.fields.get('storageclass')).toBe('x');
  });
});

describe('checkPostPolicy', () => {
  const encode = (document: unknown): string => Buffer.from(JSON.stringify(document)).toString('base64');
  const policy = (conditions: unknown, expiration: unknown = '2030-01-02T00:00:00Z'): string =>
    encode({ expiration, conditions });
  const check = (text: string, more: Record<string, string> = {}): unknown => {
    const sent = Object.entries({ key: 'user/a', bucket: 'b', ...more });
    return checkPostPolicy(
      text,
      {
        values: new Map(sent.map(([name, value]) => [name.toLowerCase(), value])),
        names: new Map(sent.map(([name]) => [name.toLowerCase(), name])),
      },
      NOW,
    );
  };
  const BASE = [{ bucket: 'b' }, ['starts-with', '$key', 'user/']];

  it('knows every operator, and gives the bounds of the file', () => {
    const conditions = [...BASE, ['eq', '$acl', 'private'], ['content-length-range', 1, 10], { 'X-Amz-Meta-A': '1' }];
    const bounds = { least: 1, most: 10 };
    expect(check(policy(conditions), { acl: 'private', 'x-amz-meta-a': '1' })).toEqual(bounds);
    expect(check(policy([...BASE, ['content-length-range', '1', '10']]))).toEqual(bounds);
    expect(
      check(policy([...BASE, ['starts-with', '$Content-Type', 'image/']]), {
        'Content-Type': 'image/png,image/gif',
        'x-ignore-me': '',
      }),
    ).toBeUndefined();
    expect(check(policy(BASE).replace(/=*$/, ''))).toBeUndefined();
    expect(check(policy(BASE).replace(/(.{20})/g, '$1\n'))).toBeUndefined();
  });

  it('bounds the file by all ranges together', () => {
    const ranges = [
      ['content-length-range', 0, 100],
      ['content-length-range', 5, 1000],
    ];
    expect(check(policy([...BASE, ...ranges]))).toEqual({ least: 5, most: 100 });
  });

  const FAILED = 'Invalid according to Policy: Policy Condition failed:';
  it.each<[string, unknown, Record<string, string>]>([
    [`${FAILED} ["starts-with", "$key", "user/"]`, BASE[1], { key: 'other' }],
    [`${FAILED} ["eq", "$bucket", "c"]`, { bucket: 'c' }, {}],
    [`${FAILED} ["eq", "$Expires", "x"]`, { Expires: 'x' }, {}],
    [`${FAILED} ["eq", "$ACL", "x"]`, ['eq', '$ACL', 'x'], { acl: 'X' }],
    [`${FAILED} ["eq", "key", "user/a"]`, ['eq', 'key', 'user/a'], {}],
    [`${FAILED} ["eq", "$x-amz-meta-a", "say \\"a\\""]`, ['eq', '$x-amz-meta-a', 'say "a"'], {}],
    [`${FAILED} ["starts-with", "$Content-Type", ""]`, ['starts-with', '$Content-Type', ''], {}],
    [
      `${FAILED} ["starts-with", "$Content-Type", "image/"]`,
      ['starts-with', '$Content-Type', 'image/'],
      { 'content-type': 'image/png,text/html' },
    ],
    [`${FAILED} ["content-length-range", "test", "10"]`, ['content-length-range', 'test', '10'], {}],
    [`${FAILED} ["content-length-range", "a", "2"]`, ['content-length-range', 'a', 2], {}],
  ])('answers %s', (message, condition, more) => {
    expect(() => check(policy([...BASE, condition]), more)).toThrow(
      expect.objectContaining({ kind: 'AccessDenied', message }),
    );
  });

  it('names the fields beyond the policy as they were sent', () => {
    const extra = (conditions: unknown, more: Record<string, string> = {}) => {
      try {
        check(policy(conditions), more);
      } catch (error) {
        return (error as Error).message;
      }
      return undefined;
    };
    expect(extra(BASE, { StorageClass: 'x' })).toBe('Invalid according to Policy: Extra input fields: StorageClass');
    expect(extra([BASE[1]])).toBe('Invalid according to Policy: Extra input fields: bucket');
    expect(extra([])).toBe('Invalid according to Policy: Extra input fields: key, bucket');
  });

  it.each<[string, string]>([
    ["Expecting '{' but found End-of-Input", ''],
    ['invalid Base64 encoding.', '%%%'],
    ['invalid Base64 encoding.', 'invalid_base64'],
    ['Invalid JSON.', Buffer.from('invalid json').toString('base64')],
    ['Invalid JSON.', encode([])],
    ["Unexpected: 'statement'", encode({ Statement: [] })],
    ["Unexpected: 'expiration'", encode({ EXPIRATION: '2030-01-02T00:00:00Z', conditions: BASE })],
    ['Policy missing expiration.', encode({ conditions: BASE })],
    ['Policy missing conditions.', encode({ expiration: '2030-01-02T00:00:00Z' })],
    ["Invalid 'conditions' value: must be a List.", policy(true)],
    ['Invalid JSON.', policy(BASE, true)],
    ["Invalid 'expiration' value: 'soon'", policy(BASE, 'soon')],
    ["Invalid 'expiration' value: '2030-01-02T00:00:00+02:00'", policy(BASE, '2030-01-02T00:00:00+02:00')],
    ["Invalid 'expiration' value: '2030-01-02 00:00:00 UTC'", policy(BASE, '2030-01-02 00:00:00 UTC')],
    ["Invalid 'expiration' value: '2030-13-02T00:00:00Z'", policy(BASE, '2030-13-02T00:00:00Z')],
    ['Invalid condition test: must be a List or Object.', policy([true])],
    ['Invalid condition test: must be a List or Object.', policy([null])],
    ['Invalid Condition: missing operation identifier.', policy([[]])],
    ["Invalid Condition: unknown operation 'ends-with'.", policy([['ends-with', '$key', 'x']])],
    ['Invalid JSON.', policy([[5, '$key', 'x']])],
    ['Invalid eq: wrong number of arguments.', policy([['eq', '$key', 'x', 'y']])],
    ['Invalid starts-with: wrong number of arguments.', policy([['starts-with', '$key']])],
    ['Invalid JSON.', policy([['eq', '$key', 5]])],
    ['Invalid JSON.', policy([['eq', false, 'x']])],
    ['Invalid content-length-range: wrong number of arguments.', policy([['content-length-range', 0]])],
    ['Invalid content-length-range.', policy([['content-length-range', -1, 0]])],
    ['Invalid JSON.', policy([['content-length-range', 0, 512.5]])],
    ['Invalid JSON.', policy([['content-length-range', 0, false]])],
    ['Invalid JSON.', policy([{ key: null }])],
    ['Invalid Simple-Condition: value must be a string.', policy([{ 'Content-Length': 5 }])],
    [
      'Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.',
      policy([{ bucket: 'b', key: 'user/a' }]),
    ],
    ['Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.', policy([{}])],
  ])('answers Invalid Policy: %s', (message, text) => {
    expect(() => check(text)).toThrow(
      expect.objectContaining({ kind: 'InvalidPolicyDocument', message: `Invalid Policy: ${message}` }),
    );
  });

  it('refuses an expired policy, but only one that it can read', () => {
    expect(() => check(policy(BASE, '2029-01-01T00:00:00.000Z'))).toThrow(
      'Invalid according to Policy: Policy expired.',
    );
    expect(() => check(policy([[]], '2029-01-01T00:00:00.000Z'))).toThrow('missing operation identifier');
  });
});
