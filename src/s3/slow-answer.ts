import { Readable } from 'node:stream';
import type { S3Answer } from './s3-call';
import { s3ErrorAnswer } from './s3-error';
import { HOST_ID } from './request-ids';
import { errorDocument } from './xml-writer';

const PATIENCE_MILLIS = 10_000;

/**
 * Waits for an operation that may take long, such as putting thousands of parts together. When it takes longer than a
 * client might wait in silence, the answer begins with status 200 and blanks, as AWS does; a failure after that stands in
 * the body.
 *
 * @param work yields the finished answer, with an XML text as its body
 */
export async function slowAnswer(
  work: Promise<S3Answer>,
  requestId: string,
  resource: string,
  patienceMillis = PATIENCE_MILLIS,
): Promise<S3Answer> {
  let timer: NodeJS.Timeout | undefined;
  const impatience = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), patienceMillis);
  });
  const early = await Promise.race([work, impatience]).finally(() => clearTimeout(timer));
  if (early !== undefined) {
    return early;
  }
  const finished = work.then(
    (answer) => (typeof answer.body === 'string' ? answer.body : ''),
    (error: unknown) => {
      const { code, message, details } = s3ErrorAnswer(error);
      return errorDocument(code, message, details, resource, requestId, HOST_ID);
    },
  );
  return {
    status: 200,
    headers: { 'Content-Type': 'application/xml' },
    body: Readable.from(blanksUntil(finished, patienceMillis), { objectMode: false }),
  };
}

/** The declaration must come first in XML, so it goes out before the blanks and is cut from the document. */
async function* blanksUntil(finished: Promise<string>, intervalMillis: number): AsyncGenerator<Buffer> {
  const declaration = '<?xml version="1.0" encoding="UTF-8"?>\n';
  yield Buffer.from(declaration);
  for (;;) {
    let timer: NodeJS.Timeout | undefined;
    const pause = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), intervalMillis);
    });
    const document = await Promise.race([finished, pause]).finally(() => clearTimeout(timer));
    if (document !== undefined) {
      yield Buffer.from(document.startsWith(declaration) ? document.slice(declaration.length) : document);
      return;
    }
    yield Buffer.from(' ');
  }
}
