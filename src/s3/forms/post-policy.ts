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

/** A condition on a field; without its `$` the field can be none of the form, so that the condition never holds. */
interface Condition {
  readonly operator: 'eq' | 'starts-with';
  /** As stated, for the refusal. */
  readonly stated: string;
  /** Lower-case name; undefined without the `$`. */
  readonly field: string | undefined;
  readonly value: string;
}

/**
 * Checks a form against the policy its signer allowed it by: not expired, every condition met, and no field beyond them.
 *
 * @param policy Base64 of the JSON document, as sent
 * @param fields by lower-case name, `bucket` and `key` included
 * @param now the server's clock
 * @returns the bounds of the file, when the policy has any
 * @throws S3Error InvalidPolicyDocument, AccessDenied
 */
export function checkPostPolicy(
  policy: string,
  fields: ReadonlyMap<string, string>,
  now: Date,
): FileBounds | undefined {
  const document = parse(policy);
  const expires = typeof document['expiration'] === 'string' ? Date.parse(document['expiration']) : Number.NaN;
  if (Number.isNaN(expires) || !/^\d{4}-\d{2}-\d{2}T/.test(document['expiration'] as string)) {
    throw invalid('Invalid Policy: Policy missing expiration.');
  }
  const stated = document['conditions'];
  if (!Array.isArray(stated) || stated.length === 0) {
    throw invalid('Invalid Policy: Policy missing conditions.');
  }
  let bounds: FileBounds | undefined;
  const conditions: Condition[] = [];
  for (const condition of stated as readonly unknown[]) {
    if (Array.isArray(condition) && isNamed(condition[0], 'content-length-range')) {
      bounds = boundsOf(condition);
    } else {
      conditions.push(...conditionsOf(condition));
    }
  }
  if (expires <= now.getTime()) {
    throw denied('Policy expired.');
  }
  const failed = conditions.find((condition) => !holds(condition, fields));
  if (failed !== undefined) {
    throw conditionFailed([failed.operator, failed.stated, failed.value]);
  }
  const named = new Set(conditions.map(({ field }) => field));
  const extra = [...fields.keys()].filter(
    (field) => !named.has(field) && !FREE.has(field) && !FREE_PREFIXES.some((prefix) => field.startsWith(prefix)),
  );
  if (extra.length > 0) {
    throw denied(`Extra input fields: ${extra.join(', ')}`);
  }
  return bounds;
}

function holds({ operator, field, value }: Condition, fields: ReadonlyMap<string, string>): boolean {
  if (field === undefined) {
    return false;
  }
  const actual = fields.get(field);
  return operator === 'eq' ? actual === value : startsWith(field, actual ?? '', value);
}

/** A field that is missing counts as empty, so an empty prefix is how a policy makes a field optional. */
function startsWith(field: string, actual: string, prefix: string): boolean {
  // A Content-Type may be a list, of which every member must match.
  const values = field === 'content-type' ? actual.split(',').map((value) => value.trim()) : [actual];
  return values.every((value) => value.startsWith(prefix));
}

function parse(policy: string): Readonly<Record<string, unknown>> {
  try {
    const document: unknown = JSON.parse(Buffer.from(policy, 'base64').toString('utf8'));
    if (typeof document === 'object' && document !== null && !Array.isArray(document)) {
      return document as Readonly<Record<string, unknown>>;
    }
  } catch {
    // Falls through to the refusal, which must not repeat what was sent.
  }
  throw invalid('Invalid Policy: Invalid JSON.');
}

function conditionsOf(condition: unknown): Condition[] {
  if (Array.isArray(condition)) {
    const [operator, field, value] = condition as readonly unknown[];
    const name = isNamed(operator, 'eq') ? 'eq' : isNamed(operator, 'starts-with') ? 'starts-with' : undefined;
    if (name === undefined || typeof field !== 'string' || typeof value !== 'string') {
      throw invalid('Invalid Policy: Invalid condition.');
    }
    const known = field.startsWith('$') ? field.slice(1).toLowerCase() : undefined;
    return [{ operator: name, stated: known === undefined ? field : `$${known}`, field: known, value }];
  }
  if (typeof condition !== 'object' || condition === null) {
    throw invalid('Invalid Policy: Invalid condition.');
  }
  const entries = Object.entries(condition);
  if (entries.length !== 1) {
    throw invalid(
      'Invalid Policy: Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.',
    );
  }
  return entries.map(([field, value]) => {
    if (typeof value !== 'string') {
      throw invalid('Invalid Policy: Invalid Simple-Condition: value must be a string.');
    }
    const known = field.toLowerCase();
    return { operator: 'eq', stated: `$${known}`, field: known, value } as const;
  });
}

function boundsOf(condition: readonly unknown[]): FileBounds {
  const [least, most] = condition
    .slice(1)
    .map((bound) => (bound === '' || bound === null ? Number.NaN : Number(bound)));
  if (condition.length !== 3) {
    throw invalid('Invalid Policy: Invalid content-length-range.');
  }
  if (!Number.isInteger(least) || !Number.isInteger(most)) {
    throw conditionFailed(condition);
  }
  if ((least as number) < 0) {
    throw invalid('Invalid Policy: Invalid content-length-range.');
  }
  return { least: least as number, most: most as number };
}

function isNamed(operator: unknown, name: string): boolean {
  return typeof operator === 'string' && operator.toLowerCase() === name;
}

function conditionFailed(condition: readonly unknown[]): S3Error {
  const parts = condition.map((part) => (typeof part === 'string' ? `"${part}"` : `"${JSON.stringify(part)}"`));
  return denied(`Policy Condition failed: [${parts.join(', ')}]`);
}

function invalid(message: string): S3Error {
  return new S3Error('InvalidPolicyDocument', message);
}

function denied(message: string): S3Error {
  return new S3Error('AccessDenied', `Invalid according to Policy: ${message}`);
}
