import type { IncomingMessage } from 'node:http';
import { StsError } from './sts-error';

/** Largest body in bytes: a policy of 2048 characters, percent-encoded, and ten ARNs fit many times. */
const MAX_BODY_BYTES = 64 * 1024;

/** Reads the body of a request whole. @throws StsError MalformedInput when it is too large or breaks off */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > MAX_BODY_BYTES) {
        throw new StsError('MalformedInput', `The body is larger than ${MAX_BODY_BYTES} bytes`);
      }
      chunks.push(chunk);
    }
  } catch (error) {
    throw error instanceof StsError ? error : new StsError('MalformedInput', 'The body broke off');
  }
  return Buffer.concat(chunks);
}

/** The raw path and the raw query of a request target. */
export function splitTarget(target: string): { readonly rawPath: string; readonly rawQuery: string } {
  const path = target.replace(/^https?:\/\/[^/?]*/i, '') || '/';
  const mark = path.indexOf('?');
  return mark < 0 ? { rawPath: path, rawQuery: '' } : { rawPath: path.slice(0, mark), rawQuery: path.slice(mark + 1) };
}
