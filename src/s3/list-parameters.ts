import { urlEncodeName } from './percent-decoding';
import type { S3Call } from './s3-call';
import { invalidArgument } from './s3-error';
import { element, textElement } from './xml-writer';

const MAX_ENTRIES = 1000;
const MAX_INTEGER = 2_147_483_647;

/** What all listings of a bucket have in common. */
export interface ListParameters {
  readonly prefix: string;
  /** Undefined when absent or empty. */
  readonly delimiter: string | undefined;
  /** Writes a name into the answer, percent-encoded when the client asked for that. */
  readonly name: (element: string, text: string | undefined) => string;
  /** The encoding that was asked for, to be repeated. */
  readonly encodingType: string | undefined;
}

/** Reads prefix, delimiter and encoding-type. @throws S3Error InvalidArgument */
export function listParameters(call: S3Call): ListParameters {
  const encodingType = call.query.get('encoding-type');
  if (encodingType !== undefined && encodingType !== 'url') {
    throw invalidArgument('Invalid Encoding Method specified in Request', 'encoding-type', encodingType);
  }
  const encoded = encodingType === 'url';
  return {
    prefix: call.query.get('prefix') ?? '',
    delimiter: call.query.get('delimiter') || undefined,
    encodingType,
    name: (tag, text) => textElement(tag, text === undefined || !encoded ? text : urlEncodeName(text)),
  };
}

/**
 * Reads the number of entries wanted.
 * @returns 0 to 1000
 * @throws S3Error InvalidArgument when it is no number or negative
 */
export function entryLimit(call: S3Call, parameter: 'max-keys' | 'max-uploads' | 'max-parts'): number {
  const value = call.query.get(parameter);
  if (value === undefined || value === '') {
    return MAX_ENTRIES;
  }
  if (/^-\d{1,9}$/.test(value)) {
    const name = parameter === 'max-keys' ? 'maxKeys' : parameter;
    throw invalidArgument(`Argument ${name} must be an integer between 0 and ${MAX_INTEGER}`, name, value);
  }
  const number = /^\d{1,10}$/.test(value) ? Number(value) : Number.NaN;
  if (!(number <= MAX_INTEGER)) {
    throw invalidArgument(`Provided ${parameter} not an integer or within integer range`, parameter, value);
  }
  return Math.min(number, MAX_ENTRIES);
}

/** The CommonPrefixes elements of a listing. */
export function commonPrefixesXml(prefixes: readonly string[], parameters: ListParameters): string {
  return prefixes.map((prefix) => element('CommonPrefixes', parameters.name('Prefix', prefix))).join('');
}
