import { S3Error } from '../s3-error';
import type { XmlElement } from '../xml';
import { element, textElement, xmlDocument } from '../xml-writer';

/** One rule of a bucket's CORS configuration. */
export interface CorsRule {
  readonly id?: string;
  readonly origins: readonly string[];
  readonly methods: readonly string[];
  readonly headers: readonly string[];
  readonly exposed: readonly string[];
  readonly maxAgeSeconds?: number;
}

/** What a browser asks, of a preflight or of the request itself. */
export interface CorsQuestion {
  readonly origin: string;
  readonly method: string;
  /** Lower-case names of Access-Control-Request-Headers. */
  readonly headers: readonly string[];
}

export const CORS_METHODS: ReadonlySet<string> = new Set(['GET', 'PUT', 'HEAD', 'POST', 'DELETE']);
/** A token of RFC 9110, in which the wildcard is a character like others, or nothing. */
export const HEADER_NAME = /^[\w!#$%&'*+.^`|~-]*$/;
const MAX_RULES = 100;
const MAX_ID_LENGTH = 255;

/** Reads a CORSConfiguration. @throws S3Error MalformedXML, InvalidRequest */
export function readCorsRules(configuration: XmlElement): CorsRule[] {
  const rules = configuration.all('CORSRule');
  if (rules.length === 0) {
    throw new S3Error('MalformedXML');
  }
  if (rules.length > MAX_RULES) {
    throw new S3Error(
      'InvalidRequest',
      `The number of CORS rules should not exceed allowed limit of ${MAX_RULES} rules.`,
    );
  }
  return rules.map(readRule);
}

/** Writes a CORSConfiguration. */
export function corsXml(rules: readonly CorsRule[]): string {
  const all = (name: string, values: readonly string[]): string =>
    values.map((value) => textElement(name, value)).join('');
  const written = rules.map((rule) =>
    element(
      'CORSRule',
      textElement('ID', rule.id) +
        all('AllowedHeader', rule.headers) +
        all('AllowedMethod', rule.methods) +
        all('AllowedOrigin', rule.origins) +
        all('ExposeHeader', rule.exposed) +
        textElement('MaxAgeSeconds', rule.maxAgeSeconds),
    ),
  );
  return xmlDocument('CORSConfiguration', written.join(''));
}

/**
 * Headers that tell a browser it may go on, by the first rule that allows all it asks.
 * @returns undefined when no rule does
 */
export function corsHeaders(rules: readonly CorsRule[], question: CorsQuestion): Record<string, string> | undefined {
  for (const rule of rules) {
    const origin = rule.origins.find((pattern) => matches(pattern, question.origin));
    const allowsHeaders = question.headers.every((header) =>
      rule.headers.some((pattern) => matches(pattern.toLowerCase(), header)),
    );
    if (origin !== undefined && rule.methods.includes(question.method) && allowsHeaders) {
      return answerOf(rule, origin, question);
    }
  }
  return undefined;
}

function answerOf(rule: CorsRule, origin: string, question: CorsQuestion): Record<string, string> {
  const headers: Record<string, string> = {
    'Access-Control-Allow-Origin': origin === '*' ? '*' : question.origin,
    'Access-Control-Allow-Methods': rule.methods.join(', '),
    Vary: 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method',
  };
  if (origin !== '*') {
    headers['Access-Control-Allow-Credentials'] = 'true';
  }
  if (question.headers.length > 0) {
    headers['Access-Control-Allow-Headers'] = question.headers.join(', ');
  }
  if (rule.exposed.length > 0) {
    headers['Access-Control-Expose-Headers'] = rule.exposed.join(', ');
  }
  if (rule.maxAgeSeconds !== undefined) {
    headers['Access-Control-Max-Age'] = String(rule.maxAgeSeconds);
  }
  return headers;
}

function readRule(rule: XmlElement): CorsRule {
  const texts = (name: string): string[] => rule.all(name).map(({ text }) => text);
  const id = rule.textOf('ID');
  const origins = texts('AllowedOrigin');
  const methods = texts('AllowedMethod');
  const headers = texts('AllowedHeader');
  const exposed = texts('ExposeHeader');
  const maxAge = rule.textOf('MaxAgeSeconds');
  if (
    origins.length === 0 ||
    methods.length === 0 ||
    (id !== undefined && id.length > MAX_ID_LENGTH) ||
    (maxAge !== undefined && !/^-?\d{1,9}$/.test(maxAge))
  ) {
    throw new S3Error('MalformedXML');
  }
  for (const method of methods) {
    if (!CORS_METHODS.has(method)) {
      throw new S3Error(
        'InvalidRequest',
        `Found unsupported HTTP method in CORS config. Unsupported method is ${method}`,
      );
    }
  }
  refuseTwoWildcards('AllowedOrigin', origins);
  refuseTwoWildcards('AllowedHeader', headers);
  refuseNoHeaderName('AllowedHeader', headers);
  refuseWildcards(exposed);
  refuseNoHeaderName('ExposeHeader', exposed);
  return {
    id,
    origins,
    methods,
    headers,
    exposed,
    maxAgeSeconds: maxAge === undefined ? undefined : Number(maxAge),
  };
}

function refuseTwoWildcards(name: string, values: readonly string[]): void {
  const wrong = values.find((value) => value.split('*').length > 2);
  if (wrong !== undefined) {
    throw new S3Error('InvalidRequest', `${name} "${wrong}" can not have more than one wildcard.`);
  }
}

function refuseWildcards(exposed: readonly string[]): void {
  const wrong = exposed.find((value) => value.includes('*'));
  if (wrong !== undefined) {
    throw new S3Error(
      'InvalidRequest',
      `ExposeHeader "${wrong}" contains wildcard. We currently do not support wildcard for ExposeHeader.`,
    );
  }
}

function refuseNoHeaderName(element: string, names: readonly string[]): void {
  const wrong = names.find((name) => !HEADER_NAME.test(name));
  if (wrong !== undefined) {
    throw new S3Error('InvalidRequest', `${element} "${wrong}" contains invalid character.`);
  }
}

function matches(pattern: string, value: string): boolean {
  const star = pattern.indexOf('*');
  if (star < 0) {
    return pattern === value;
  }
  const head = pattern.slice(0, star);
  const tail = pattern.slice(star + 1);
  return value.length >= head.length + tail.length && value.startsWith(head) && value.endsWith(tail);
}
