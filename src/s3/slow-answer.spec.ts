import { text } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import { xmlAnswer, type S3Answer } from './s3-call';
import { S3Error } from './s3-error';
import { slowAnswer } from './slow-answer';
import { parseXml } from './xml';
import { textElement, xmlDocument } from './xml-writer';

const ANSWER = xmlAnswer(xmlDocument('Result', textElement('Key', 'a')), { 'x-amz-version-id': 'v' });
const PATIENCE_MILLIS = 5;

/** Work that is done when told, after the answer has begun. */
function pending(): { work: Promise<S3Answer>; finish: (error?: Error) => void } {
  let finish: (error?: Error) => void = () => undefined;
  const work = new Promise<S3Answer>((resolve, reject) => {
    finish = (error) => (error === undefined ? resolve(ANSWER) : reject(error));
  });
  return { work, finish };
}

describe('slowAnswer', () => {
  it('passes on what is ready in time, failures too', async () => {
    await expect(slowAnswer(Promise.resolve(ANSWER), 'id', '/b/k')).resolves.toBe(ANSWER);
    const failure = new S3Error('InvalidPart');
    await expect(slowAnswer(Promise.reject(failure), 'id', '/b/k')).rejects.toBe(failure);
  });

  it('begins with blanks that leave the document readable', async () => {
    const { work, finish } = pending();
    const answer = await slowAnswer(work, 'id', '/b/k', PATIENCE_MILLIS);
    expect([answer.status, answer.length]).toEqual([200, undefined]);
    const body = answer.body as Readable;
    let sent = '';
    for await (const chunk of body) {
      sent += String(chunk);
      if (sent.endsWith('\n  ')) {
        finish();
      }
    }
    expect(parseXml(Buffer.from(sent), 'Result').required('Key')).toBe('a');
  });

  it('puts a late failure into the body', async () => {
    const { work, finish } = pending();
    const answer = await slowAnswer(work, 'id-1', '/b/k', PATIENCE_MILLIS);
    finish(new S3Error('InvalidPart'));
    const error = parseXml(Buffer.from(await text(answer.body as Readable)), 'Error');
    expect([error.required('Code'), error.required('RequestId'), error.required('Resource')]).toEqual([
      'InvalidPart',
      'id-1',
      '/b/k',
    ]);
  });
});
