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
        expect(await refusal(() => read(tokens.join('')))).toMatch(
          /^(accepted|MalformedPOSTRequest|IncorrectNumberOfFilesInPostRequest)$/,
        );
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    ['no boundary', part('file', 'x'), 'text/plain', 'MalformedPOSTRequest'],
    ['no file', `${part('key', 'k')}--frontier--`, TYPE, 'IncorrectNumberOfFilesInPostRequest'],
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
    ['fields without end', part('key', 'k'.repeat(70_000)), TYPE, 'MaxPostPreDataLengthExceeded'],
  ])('refuses %s', async (_, text, type, code) => {
    expect(await refusal(() => read(text, 1000, type))).toBe(code);
  });
});

describe('checkPostPolicy', () => {
  const policy = (conditions: unknown, expiration = '2030-01-02T00:00:00Z'): string =>
    Buffer.from(JSON.stringify({ expiration, conditions })).toString('base64');
  const fields = (more: Record<string, string> = {}): Map<string, string> =>
    new Map(Object.entries({ key: 'user/a', bucket: 'b', ...more }));
  const BASE = [{ bucket: 'b' }, ['starts-with', '$key', 'user/']];

  it('knows every operator, and gives the bounds of the file', () => {
    const conditions = [...BASE, ['eq', '$acl', 'private'], ['content-length-range', 1, 10], { 'X-Amz-Meta-A': '1' }];
    expect(checkPostPolicy(policy(conditions), fields({ acl: 'private', 'x-amz-meta-a': '1' }), NOW)).toEqual({
      least: 1,
      most: 10,
    });
    expect(
      checkPostPolicy(
        policy([...BASE, ['starts-with', '$Content-Type', 'image/']]),
        fields({ 'content-type': 'image/png,image/gif', 'x-ignore-me': '' }),
        NOW,
      ),
    ).toBeUndefined();
  });

  it.each([
    ['another key', BASE, { key: 'other' }, 'AccessDenied'],
    ['another bucket', [{ bucket: 'c' }, BASE[1]], {}, 'AccessDenied'],
    ['a field beyond the policy', BASE, { acl: 'public-read' }, 'AccessDenied'],
    ['a missing field', [...BASE, ['starts-with', '$x-amz-meta-a', 'x']], {}, 'AccessDenied'],
    [
      'one type that does not match',
      [...BASE, ['starts-with', '$Content-Type', 'image/']],
      { 'content-type': 'image/png,text/html' },
      'AccessDenied',
    ],
    ['a condition without $', [...BASE, ['eq', 'key', 'user/a']], {}, 'AccessDenied'],
    ['a range of words', [...BASE, ['content-length-range', 'test', '10']], {}, 'AccessDenied'],
    ['no conditions', [], {}, 'InvalidPolicyDocument'],
    ['an unknown operator', [...BASE, ['ends-with', '$key', 'x']], {}, 'InvalidPolicyDocument'],
    ['a range that begins below nothing', [...BASE, ['content-length-range', -1, 0]], {}, 'InvalidPolicyDocument'],
    ['half a range', [...BASE, ['content-length-range', 0]], {}, 'InvalidPolicyDocument'],
    ['two conditions in one', [{ bucket: 'b', key: 'user/a' }], {}, 'InvalidPolicyDocument'],
  ])('refuses %s', async (_, conditions, more, code) => {
    expect(await refusal(() => checkPostPolicy(policy(conditions), fields(more), NOW))).toBe(code);
  });

  it('names the condition that failed as it stands', () => {
    const check = (condition: unknown): unknown => checkPostPolicy(policy([...BASE, condition]), fields(), NOW);
    const failed = 'Invalid according to Policy: Policy Condition failed:';
    expect(() => check(['eq', '$ACL', 'x'])).toThrow(`${failed} ["eq", "$acl", "x"]`);
    expect(() => check(['eq', 'acl', 'x'])).toThrow(`${failed} ["eq", "acl", "x"]`);
    expect(() => check(['content-length-range', 'a', 2])).toThrow(`${failed} ["content-length-range", "a", "2"]`);
  });

  it('refuses an expired, an undated and an unreadable policy', async () => {
    expect(await refusal(() => checkPostPolicy(policy(BASE, '2029-01-01T00:00:00Z'), fields(), NOW))).toBe(
      'AccessDenied',
    );
    expect(await refusal(() => checkPostPolicy(policy(BASE, 'soon'), fields(), NOW))).toBe('InvalidPolicyDocument');
    expect(await refusal(() => checkPostPolicy('%%%', fields(), NOW))).toBe('InvalidPolicyDocument');
  });
});
