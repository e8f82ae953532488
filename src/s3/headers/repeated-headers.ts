import type { IncomingMessage } from 'node:http';

/**
 * Joins repeated `x-amz-*` headers by a bare comma, as S3 signs and stores them; `node:http` puts a blank behind it.
 * Does nothing for the many requests that repeat no header.
 */
export function joinRepeatedHeaders({ headers, rawHeaders }: IncomingMessage): void {
  if (rawHeaders.length === Object.keys(headers).length * 2) {
    return;
  }
  const values = new Map<string, string[]>();
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] as string).toLowerCase();
    if (name.startsWith('x-amz-')) {
      values.set(name, [...(values.get(name) ?? []), rawHeaders[index + 1] as string]);
    }
  }
  for (const [name, all] of values) {
    if (all.length > 1) {
      headers[name] = all.join(',');
    }
  }
}
