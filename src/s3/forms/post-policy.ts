import { S3Error } from '../s3-error';

/** Bounds of the file in bytes, both inclusive. */
export interface FileBounds {
  readonly least: number;
  readonly most: number;
}

/** Fields that need not be named by any condition. */
const FREE = new Set(['policy', 'x-amz-signature', 'signature', 'awsaccesskeyid', 'file', 'x-amz-security-token']);
/** What can do no harm: fields meant to be ignored, and checksums, which only make a form fail. */
const FREE_PREFIXES = ['x-ignore-', 'x-amz-checksum-'];

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
/** The only form of dates that S3 reads in policies. */
const EXPIRATION = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z$/;
const RANGE = 'content-length-range';

/** A condition on a field; without its `$` the field can be none of the form, so that the condition never holds. */
interface Condition {
  readonly operator: 'eq' | 'starts-with';
  /** As stated, for the refusal. */
  readonly stated: string;
  /** Lower-case name; undefined without the `$`. */
  readonly field: string | undefined;
  readonly value: string;
}

interface PostPolicy {
  readonly expires: number;
  readonly conditions: readonly Condition[];
  readonly bounds: FileBounds | undefined;
}

/** The fields of a form, by lower-case name, `bucket` and `key` included. */
export interface FormFields {
  readonly values: ReadonlyMap<string, string>;
  /** Names as they were sent, by lower-case name; those not among them are told in lower case. */
  readonly names: ReadonlyMap<string, string>;
}

/**
 * Checks a form against the policy its signer allowed it by: not expired, every condition met, and no field beyond them.
 *
 * @param policy Base64 of the JSON document, as sent
 * @param now the server's clock
 * @returns the bounds of the file, when the policy has any
 * @throws S3Error InvalidPolicyDocument, AccessDenied
 */
export function checkPostPolicy(policy: string, { values, names }: FormFields, now: Date): FileBounds | undefined {
  const { expires, conditions, bounds } = readPolicy(decode(policy));
  if (expires <= now.getTime()) {
    throw denied('Policy expired.');
  }
  const failed = conditions.find((condition) => !holds(condition, values));
  if (failed !== undefined) {
    throw conditionFailed([failed.operator, failed.stated, failed.value]);
  }
  const named = new Set(conditions.map(({ field }) => field));
  const extra = [...values.keys()].filter(
    (field) => !named.has(field) && !FREE.has(field) && !FREE_PREFIXES.some((prefix) => field.startsWith(prefix)),
  );
  if (extra.length > 0) {
    throw denied(`Extra input fields: ${extra.map((field) => names.get(field) ?? field).join(', ')}`);
  }
  return bounds;
}

/** A field that is missing meets no condition, not even that it begins with nothing. */
function holds({ operator, field, value }: Condition, values: ReadonlyMap<string, string>): boolean {
  const actual = field === undefined ? undefined : values.get(field);
  if (field === undefined || actual === undefined) {
    return false;
  }
  return operator === 'eq' ? actual === value : startsWith(field, actual, value);
}

function startsWith(field: string, actual: string, prefix: string): boolean {
  // A Content-Type may be a list, of which every member must match.
  const values = field === 'content-type' ? actual.split(',').map((value) => value.trim()) : [actual];
  return values.every((value) => value.startsWith(prefix));
}

function decode(policy: string): Readonly<Record<string, unknown>> {
  const base64 = policy.replace(/\s+/g, '');
  if (base64 === '') {
    throw invalid("Expecting '{' but found End-of-Input");
  }
  if (!BASE64.test(base64)) {
    throw invalid('invalid Base64 encoding.');
  }
  try {
    const document: unknown = JSON.parse(Buffer.from(base64, 'base64').toString('utf8'));
    if (typeof document === 'object' && document !== null && !Array.isArray(document)) {
      return document as Readonly<Record<string, unknown>>;
    }
  } catch {
    // Falls through to the refusal, which must not repeat what was sent.
  }
  throw invalidJson();
}

function readPolicy(document: Readonly<Record<string, unknown>>): PostPolicy {
  const unexpected = Object.keys(document).find((member) => member !== 'expiration' && member !== 'conditions');
  if (unexpected !== undefined) {
    throw invalid(`Unexpected: '${unexpected.toLowerCase()}'`);
  }
  const { expiration, conditions: stated } = document;
  if (expiration === undefined) {
    throw invalid('Policy missing expiration.');
  }
  if (stated === undefined) {
    throw invalid('Policy missing conditions.');
  }
  if (!Array.isArray(stated)) {
    throw invalid("Invalid 'conditions' value: must be a List.");
  }
  const expires = timeOf(expiration);
  const conditions: Condition[] = [];
  let bounds: FileBounds | undefined;
  for (const condition of stated as readonly unknown[]) {
    const range = Array.isArray(condition) && isNamed(condition[0], RANGE) ? boundsOf(condition) : undefined;
    if (range === undefined) {
      conditions.push(conditionOf(condition));
    } else {
      bounds = narrowed(bounds, range);
    }
  }
  return { expires, conditions, bounds };
}

/** Milliseconds since 1970. */
function timeOf(expiration: unknown): number {
  if (typeof expiration !== 'string') {
    throw invalidJson();
  }
  const expires = EXPIRATION.test(expiration) ? Date.parse(expiration) : Number.NaN;
  if (Number.isNaN(expires)) {
    throw invalid(`Invalid 'expiration' value: '${expiration}'`);
  }
  return expires;
}

function conditionOf(condition: unknown): Condition {
  if (Array.isArray(condition)) {
    return listedCondition(condition);
  }
  if (typeof condition !== 'object' || condition === null) {
    throw invalid('Invalid condition test: must be a List or Object.');
  }
  const [entry, ...others] = Object.entries(condition);
  if (entry === undefined || others.length > 0) {
    throw invalid('Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.');
  }
  const [field, value] = entry as [string, unknown];
  if (value === null) {
    throw invalidJson();
  }
  if (typeof value !== 'string') {
    throw invalid('Invalid Simple-Condition: value must be a string.');
  }
  return { operator: 'eq', stated: `$${field}`, field: field.toLowerCase(), value };
}

function listedCondition(condition: readonly unknown[]): Condition {
  const [operator, field, value] = condition;
  if (operator === undefined) {
    throw invalid('Invalid Condition: missing operation identifier.');
  }
  if (typeof operator !== 'string') {
    throw invalidJson();
  }
  const name = isNamed(operator, 'eq') ? 'eq' : isNamed(operator, 'starts-with') ? 'starts-with' : undefined;
  if (name === undefined) {
    throw invalid(`Invalid Condition: unknown operation '${operator}'.`);
  }
  if (condition.length !== 3) {
    throw invalid(`Invalid ${operator}: wrong number of arguments.`);
  }
  if (typeof field !== 'string' || typeof value !== 'string') {
    throw invalidJson();
  }
  return {
    operator: name,
    stated: field,
    field: field.startsWith('$') ? field.slice(1).toLowerCase() : undefined,
    value,
  };
}

/** Bounds may be written as numbers or as texts. */
function boundsOf(condition: readonly unknown[]): FileBounds {
  if (condition.length !== 3) {
    throw invalid(`Invalid ${RANGE}: wrong number of arguments.`);
  }
  const [least, most] = condition.slice(1).map((bound) => {
    if (typeof bound === 'string') {
      return /^-?\d+$/.test(bound) ? Number(bound) : undefined;
    }
    if (!Number.isInteger(bound)) {
      throw invalidJson();
    }
    return bound as number;
  });
  if (least === undefined || most === undefined) {
    throw conditionFailed(condition);
  }
  if (least < 0) {
    throw invalid(`Invalid ${RANGE}.`);
  }
  return { least, most };
}

/** Where several conditions bound the file, all of them hold. */
function narrowed(bounds: FileBounds | undefined, { least, most }: FileBounds): FileBounds {
  return bounds === undefined
    ? { least, most }
    : { least: Math.max(bounds.least, least), most: Math.min(bounds.most, most) };
}

function isNamed(operator: unknown, name: string): boolean {
  return typeof operator === 'string' && operator.toLowerCase() === name;
}

function conditionFailed(condition: readonly unknown[]): S3Error {
  const parts = condition.map((part) => JSON.stringify(typeof part === 'string' ? part : JSON.stringify(part)));
  return denied(`Policy Condition failed: [${parts.join(', ')}]`);
}

function invalidJson(): S3Error {
  return invalid('Invalid JSON.');
}

function invalid(message: string): S3Error {
  return new S3Error('InvalidPolicyDocument', `Invalid Policy: ${message}`);
}

function denied(message: string): S3Error {
  return new S3Error('AccessDenied', `Invalid according to Policy: ${message}`);
}
