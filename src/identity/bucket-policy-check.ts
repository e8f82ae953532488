import { IdentityError } from './identity-error';
import { compileCondition, isConditionOperator } from './policy-conditions';
import { MAX_POLICY_LENGTH, parsePolicy } from './policy-document';
import { compilePattern } from './policy-pattern';
import { isAwsPrincipal, PRINCIPAL_KINDS } from './policy-principals';
import { resourceKinds } from './policy-resources';
import { conditionValues, isObject, STATEMENT_ELEMENTS } from './policy-statement-reader';
import type { CompiledPolicy } from './policy.types';
import { S3_ACTIONS, type S3ResourceKind } from './s3-actions';
import { carriersOf } from './s3-condition-keys';

type Elements = Readonly<Record<string, unknown>>;

const SYNTAX = 'Invalid policy syntax.';
const INVALID_PRINCIPAL = 'Invalid principal in policy';
const INVALID_RESOURCE = 'Policy has invalid resource';
const INVALID_KEY = 'Policy has an invalid condition key';
const REQUIRED: readonly (readonly [string, ...string[]])[] = [
  ['Effect'],
  ['Principal', 'NotPrincipal'],
  ['Action', 'NotAction'],
  ['Resource', 'NotResource'],
];
const CANONICAL_ID = /^[0-9a-f]{64}$/;
const SERVICE = /^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/i;

/** Keys of other services that come with the caller's credentials, so that any request can have them. */
const FOREIGN_KEY = /^(?:aws|ec2|glue|lambda|saml|sts|[a-z0-9-]+(?:\.[a-z0-9-]+)+):./is;

/**
 * Checks a bucket policy as S3 does when it is set, which is more than the grammar that {@link parsePolicy} knows: its
 * actions exist and apply to its resources, its conditions to its actions. Whether its principals exist is left to the
 * caller. Stored policies are not checked again.
 *
 * @throws IdentityError `MalformedPolicyDocument` with AWS's text for the first problem found
 */
export function checkBucketPolicy(text: string, bucket: string): CompiledPolicy {
  const document = readDocument(text);
  for (const element of Object.keys(document)) {
    if (!['Version', 'Id', 'Statement'].includes(element)) {
      refuse(`Unknown field ${element}`);
    }
  }
  const version = document['Version'] ?? '2008-10-17';
  if (version !== '2012-10-17' && version !== '2008-10-17') {
    refuse('The policy must contain a valid version string');
  }
  const value = document['Statement'];
  if (value === undefined) {
    refuse('Missing required field Statement');
  }
  const statements: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (statements.length === 0) {
    refuse('Could not parse the policy: Statement is empty!');
  }
  for (const statement of statements) {
    checkStatement(statement, bucket, version === '2012-10-17');
  }
  return parsePolicy(text, { type: 'bucket', bucket });
}

/** The error for a principal that does not exist. @param name the user's, or its canonical id */
export function invalidPrincipal(name: string): IdentityError {
  return malformed(INVALID_PRINCIPAL, name);
}

function readDocument(text: string): Elements {
  if (!text.startsWith('{')) {
    refuse("Policies must be valid JSON and the first byte must be '{'");
  }
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    refuse('This policy contains invalid Json');
  }
  if (Buffer.byteLength(withoutBlanks(text)) > MAX_POLICY_LENGTH) {
    refuse(`Normalized policy document exceeds the maximum allowed size of ${MAX_POLICY_LENGTH} bytes`);
  }
  return document as Elements;
}

/** Valid JSON without the blanks between its tokens, which AWS does not count. */
function withoutBlanks(json: string): string {
  return json.replace(/("(?:[^"\\]|\\.)*")|\s+/g, '$1');
}

function checkStatement(statement: unknown, bucket: string, variables: boolean): void {
  if (!isObject(statement)) {
    refuse(SYNTAX);
  }
  for (const element of Object.keys(statement)) {
    if (!STATEMENT_ELEMENTS.has(element)) {
      refuse(`Unknown field ${element}`);
    }
  }
  if (statement['Sid'] !== undefined && typeof statement['Sid'] !== 'string') {
    refuse(SYNTAX);
  }
  REQUIRED.forEach((alternatives) => checkPresence(statement, alternatives));
  const effect = statement['Effect'];
  if (effect !== 'Allow' && effect !== 'Deny') {
    refuse(typeof effect === 'string' ? `Invalid effect: ${effect}` : SYNTAX);
  }
  checkPrincipals(statement, effect);
  const actions = readActions(statement);
  const kinds = readResourceKinds(statement, bucket);
  const applicable = actions.map((names) => names.filter((name) => kinds.includes(S3_ACTIONS.get(name) ?? 'other')));
  if (applicable.some((names) => names.length === 0)) {
    refuse('Action does not apply to any resource(s) in statement');
  }
  checkConditions(statement['Condition'], applicable, variables);
}

/** @param alternatives an element and the inverted one, of which a statement has exactly one */
function checkPresence(statement: Elements, alternatives: readonly [string, ...string[]]): void {
  const [element, ...others] = alternatives.filter((name) => statement[name] !== undefined);
  if (element === undefined) {
    refuse(`Missing required field ${alternatives[0]}`);
  }
  const value = statement[element];
  if (others.length > 0 || value === null) {
    refuse(SYNTAX);
  }
  const mayBeEmpty = element === 'Effect' || alternatives[0] === 'Resource';
  if (!mayBeEmpty && (value === '' || (typeof value === 'object' && Object.keys(value).length === 0))) {
    refuse(`Missing required field ${element} cannot be empty!`);
  }
}

function checkPrincipals(statement: Elements, effect: 'Allow' | 'Deny'): void {
  const value = statement['Principal'] ?? statement['NotPrincipal'];
  if (statement['NotPrincipal'] !== undefined && effect === 'Allow') {
    refuse(INVALID_PRINCIPAL, 'NotPrincipal');
  }
  if (value === '*') {
    return;
  }
  if (!isObject(value)) {
    refuse(SYNTAX);
  }
  for (const [kind, names] of Object.entries(value)) {
    if (names === null || (Array.isArray(names) && names.length === 0)) {
      refuse('Missing required field Principal cannot be empty!');
    }
    for (const name of texts(names)) {
      if (!PRINCIPAL_KINDS.includes(kind) || !isPrincipal(kind, name)) {
        refuse(INVALID_PRINCIPAL, `"${kind}" : "${name}"`);
      }
    }
  }
}

function isPrincipal(kind: string, name: string): boolean {
  switch (kind) {
    case 'AWS':
      return isAwsPrincipal(name);
    case 'CanonicalUser':
      return CANONICAL_ID.test(name);
    case 'Service':
      return SERVICE.test(name);
    default:
      return name !== '' && name !== '*';
  }
}

/** What each action of a statement means; with `NotAction`, all that it leaves. */
function readActions(statement: Elements): string[][] {
  const patterns = texts(statement['Action'] ?? statement['NotAction']);
  const meant = [...new Set(patterns)].map((pattern) => {
    const names = actionsMeant(pattern);
    return names.length > 0 ? names : refuse('Policy has invalid action', pattern);
  });
  if (statement['Action'] !== undefined) {
    return meant;
  }
  const excepted = new Set(meant.flat());
  return [[...S3_ACTIONS.keys()].filter((name) => !excepted.has(name))];
}

function actionsMeant(pattern: string): string[] {
  const names = [...S3_ACTIONS.keys()];
  if (pattern === '*') {
    return names;
  }
  if (!/^s3:[a-z0-9*?]+$/i.test(pattern)) {
    return [];
  }
  const compiled = compilePattern(pattern, { wildcards: true, variables: false, ignoreCase: true });
  return names.filter((name) => compiled.matches(`s3:${name}`, () => undefined) === true);
}

function readResourceKinds(statement: Elements, bucket: string): S3ResourceKind[] {
  const resources = texts(statement['Resource'] ?? statement['NotResource']);
  if (resources.length === 0) {
    refuse(INVALID_RESOURCE);
  }
  const kinds = resources.flatMap((resource) => {
    const found = resourceKinds(bucket, resource);
    return found.length > 0 ? found : refuse(INVALID_RESOURCE, resource);
  });
  return statement['NotResource'] === undefined ? kinds : ['bucket', 'object'];
}

function checkConditions(block: unknown, actions: readonly (readonly string[])[], variables: boolean): void {
  if (block === undefined) {
    return;
  }
  if (!isObject(block)) {
    refuse(SYNTAX);
  }
  for (const [operator, lines] of Object.entries(block)) {
    if (!isConditionOperator(operator)) {
      refuse(`Invalid Condition type : ${operator}`);
    }
    if (!isObject(lines)) {
      refuse(SYNTAX);
    }
    for (const [key, value] of Object.entries(lines)) {
      checkConditionKey(key, actions);
      checkConditionValues(operator, key, value, variables);
    }
  }
}

/** A pattern of actions passes when one of them carries the key, so that `s3:Put*` may be narrowed by a header. */
function checkConditionKey(key: string, actions: readonly (readonly string[])[]): void {
  if (FOREIGN_KEY.test(key)) {
    return;
  }
  const carries = carriersOf(key) ?? refuse(INVALID_KEY, key);
  if (!actions.every((names) => names.some(carries))) {
    refuse('Conditions do not apply to combination of actions and resources in statement', key);
  }
}

function checkConditionValues(operator: string, key: string, value: unknown, variables: boolean): void {
  const values = conditionValues(value) ?? refuse(SYNTAX);
  try {
    compileCondition(operator, key, values, variables);
  } catch (error) {
    if (!(error instanceof RangeError)) {
      throw error;
    }
    refuse(
      /IpAddress/.test(operator) ? 'Invalid IP address in Conditions' : `Condition ${operator} ${error.message}`,
      key,
    );
  }
}

function texts(value: unknown): string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.every((item) => typeof item === 'string') ? (list as string[]) : refuse(SYNTAX);
}

/** @param detail what of the policy is meant */
function refuse(message: string, detail?: string): never {
  throw malformed(message, detail);
}

function malformed(message: string, detail?: string): IdentityError {
  const problems = [{ field: '', message }];
  return new IdentityError(
    'MalformedPolicyDocument',
    message,
    problems,
    detail === undefined ? {} : { details: { Detail: detail } },
  );
}
