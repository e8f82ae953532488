import type { IncomingHttpHeaders } from 'node:http';

const ASCII = /^[\x20-\x7e\t]*$/;
// eslint-disable-next-line no-control-regex
const FORBIDDEN = /[\x00-\x08\x0a-\x1f\x7f]/;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A header as one string, exactly as received; undefined when absent. @param name lower case */
export function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

/** A header as the text its bytes mean: UTF-8 where they are that, else Latin-1. @param name lower case */
export function textHeaderOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headerOf(headers, name);
  return value === undefined ? undefined : headerText(value);
}

/** The text that the bytes of a received header value mean. */
export function headerText(value: string): string {
  if (ASCII.test(value)) {
    return value;
  }
  try {
    return utf8.decode(Buffer.from(value, 'latin1'));
  } catch {
    return value;
  }
}

/** Text as `node:http` must be given it so that its UTF-8 goes over the wire; undefined when no header can carry it. */
export function toHeaderValue(text: string): string | undefined {
  if (ASCII.test(text)) {
    return text;
  }
  return FORBIDDEN.test(text) ? undefined : Buffer.from(text, 'utf8').toString('latin1');
}
