import { BlockList, isIP } from 'node:net';
import { compilePattern, malformedVariable, type TextPattern, type VariableResolver } from './policy-pattern';

/** All values of a condition key in a request; undefined when the request does not have the key. */
export type ConditionLookup = (key: string) => readonly string[] | undefined;

/** One `operator: { key: values }` line, compiled. */
export interface CompiledCondition {
  readonly operator: string;
  readonly key: string;
  /** As the policy writes them. */
  readonly values: readonly string[];
  /** @param whenUnresolved the answer when a negated operator names a policy variable that the request does not have */
  holds(lookup: ConditionLookup, resolve: VariableResolver, whenUnresolved: boolean): boolean;
}

/** Whether one request value equals one policy value; undefined for an unresolved policy variable. */
type Comparison = (requestValue: string, resolve: VariableResolver) => boolean | undefined;

interface Operator {
  /** Negated operators hold when no policy value matches, and when the key is absent. */
  readonly negated: boolean;
  /** @throws RangeError saying what the value should look like */
  compile(policyValue: string, variables: boolean): Comparison;
}

const OPERATORS: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ...pair('StringEquals', 'StringNotEquals', text({ wildcards: false })),
  ...pair('StringEqualsIgnoreCase', 'StringNotEqualsIgnoreCase', text({ wildcards: false, ignoreCase: true })),
  ...pair('StringLike', 'StringNotLike', text({ wildcards: true })),
  ...pair(
    'NumericEquals',
    'NumericNotEquals',
    ordered(parseNumber, (actual, wanted) => actual === wanted),
  ),
  ['NumericLessThan', positive(ordered(parseNumber, (actual, wanted) => actual < wanted))],
  ['NumericLessThanEquals', positive(ordered(parseNumber, (actual, wanted) => actual <= wanted))],
  ['NumericGreaterThan', positive(ordered(parseNumber, (actual, wanted) => actual > wanted))],
  ['NumericGreaterThanEquals', positive(ordered(parseNumber, (actual, wanted) => actual >= wanted))],
  ...pair(
    'DateEquals',
    'DateNotEquals',
    ordered(parseDate, (actual, wanted) => actual === wanted),
  ),
  ['DateLessThan', positive(ordered(parseDate, (actual, wanted) => actual < wanted))],
  ['DateLessThanEquals', positive(ordered(parseDate, (actual, wanted) => actual <= wanted))],
  ['DateGreaterThan', positive(ordered(parseDate, (actual, wanted) => actual > wanted))],
  ['DateGreaterThanEquals', positive(ordered(parseDate, (actual, wanted) => actual >= wanted))],
  ['Bool', positive(compileBool)],
  ['BinaryEquals', positive(compileBinary)],
  ...pair('IpAddress', 'NotIpAddress', compileAddress),
  ...pair('ArnEquals', 'ArnNotEquals', compileArn),
  ...pair('ArnLike', 'ArnNotLike', compileArn),
]);

/** Every operator name that a policy may use, without qualifier and `IfExists`. */
export const CONDITION_OPERATORS: readonly string[] = [...OPERATORS.keys(), 'Null'];

/** Whether a name, with its qualifier and suffix, is that of an operator. Names are case-sensitive. */
export function isConditionOperator(name: string): boolean {
  try {
    parseOperatorName(name);
    return true;
  } catch {
    return false;
  }
}

/**
 * Compiles one condition line.
 *
 * @param name operator with its optional `ForAllValues:`/`ForAnyValue:` qualifier and `IfExists` suffix
 * @throws RangeError when the operator is unknown or a value does not fit it
 */
export function compileCondition(
  name: string,
  key: string,
  values: readonly string[],
  variables: boolean,
): CompiledCondition {
  const { base, qualifier, ifExists } = parseOperatorName(name);
  if (base === 'Null') {
    return { operator: name, key, values, holds: compileNull(key, values) };
  }
  const operator = OPERATORS.get(base) as Operator;
  const comparisons = values.map((value) => {
    if (variables && malformedVariable(value)) {
      throw new RangeError(`has a malformed policy variable in "${value}"`);
    }
    return operator.compile(value, variables);
  });
  const valueHolds = (actual: string, resolve: VariableResolver, whenUnresolved: boolean): boolean =>
    operator.negated
      ? noneMatches(comparisons, actual, resolve, whenUnresolved)
      : comparisons.some((comparison) => comparison(actual, resolve) === true);
  return {
    operator: name,
    key,
    values,
    holds: (lookup, resolve, whenUnresolved) => {
      const actual = lookup(key);
      if (actual === undefined) {
        return ifExists || qualifier === 'ForAllValues' || (qualifier === undefined && operator.negated);
      }
      const holdsFor = (value: string): boolean => valueHolds(value, resolve, whenUnresolved);
      const everyValue = qualifier === 'ForAllValues' || (qualifier === undefined && operator.negated);
      return everyValue ? actual.every(holdsFor) : actual.some(holdsFor);
    },
  };
}

function parseOperatorName(name: string): { base: string; qualifier: string | undefined; ifExists: boolean } {
  const match = /^(?:(ForAllValues|ForAnyValue):)?([A-Za-z]+?)(IfExists)?$/.exec(name);
  const base = match?.[2] ?? '';
  if (match === null || !(OPERATORS.has(base) || (base === 'Null' && name === 'Null'))) {
    throw new RangeError(`is not a condition operator; known are ${CONDITION_OPERATORS.join(', ')}`);
  }
  return { base, qualifier: match[1], ifExists: match[3] !== undefined };
}

function compileNull(key: string, values: readonly string[]): CompiledCondition['holds'] {
  const wanted = values.map((value) => value.toLowerCase());
  if (wanted.some((value) => value !== 'true' && value !== 'false')) {
    throw new RangeError('must be "true" or "false"');
  }
  return (lookup) => wanted.includes(String(lookup(key) === undefined));
}

function noneMatches(
  comparisons: readonly Comparison[],
  actual: string,
  resolve: VariableResolver,
  whenUnresolved: boolean,
): boolean {
  const outcomes = comparisons.map((comparison) => comparison(actual, resolve));
  if (outcomes.includes(true)) {
    return false;
  }
  return outcomes.includes(undefined) ? whenUnresolved : true;
}

type Compile = Operator['compile'];

function positive(compile: Compile): Operator {
  return { negated: false, compile };
}

function pair(name: string, negatedName: string, compile: Compile): [string, Operator][] {
  return [
    [name, positive(compile)],
    [negatedName, { negated: true, compile }],
  ];
}

function text(options: { wildcards: boolean; ignoreCase?: boolean }): Compile {
  return (policyValue, variables) => {
    const pattern = compilePattern(policyValue, { ...options, variables });
    return (actual, resolve) => pattern.matches(actual, resolve);
  };
}

function ordered(
  parse: (value: string) => number | undefined,
  holds: (actual: number, wanted: number) => boolean,
): Compile {
  return (policyValue) => {
    const wanted = parse(policyValue);
    if (wanted === undefined) {
      throw new RangeError(
        parse === parseNumber ? 'must be a number' : 'must be an ISO 8601 date or seconds since 1970',
      );
    }
    return (value) => {
      const actual = parse(value);
      return actual !== undefined && holds(actual, wanted);
    };
  };
}

function parseNumber(value: string): number | undefined {
  return /^[+-]?(\d+\.?\d*|\.\d+)$/.test(value.trim()) ? Number(value) : undefined;
}

/** Milliseconds since 1970. */
function parseDate(value: string): number | undefined {
  if (/^\d+$/.test(value)) {
    return Number(value) * 1000;
  }
  if (!/^\d{4}(-\d{2}(-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?)?)?$/.test(value)) {
    return undefined;
  }
  const hasZone = /(Z|T.*[+-]\d{2}:?\d{2})$/.test(value);
  const milliseconds = Date.parse(value.includes('T') && !hasZone ? `${value}Z` : value);
  return Number.isNaN(milliseconds) ? undefined : milliseconds;
}

function compileBool(policyValue: string): Comparison {
  const wanted = policyValue.toLowerCase();
  if (wanted !== 'true' && wanted !== 'false') {
    throw new RangeError('must be "true" or "false"');
  }
  return (actual) => actual.toLowerCase() === wanted;
}

function compileBinary(policyValue: string): Comparison {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(policyValue) || policyValue.length % 4 !== 0) {
    throw new RangeError('must be base64');
  }
  const wanted = Buffer.from(policyValue, 'base64');
  return (actual) => Buffer.from(actual, 'base64').equals(wanted);
}

function compileAddress(policyValue: string): Comparison {
  const [address = '', prefixText] = policyValue.split('/', 2);
  const family = addressFamily(address);
  const widest = family === 'ipv4' ? 32 : 128;
  const prefix = prefixText === undefined ? widest : /^\d{1,3}$/.test(prefixText) ? Number(prefixText) : -1;
  if (family === undefined || prefix < 0 || prefix > widest || policyValue.split('/').length > 2) {
    throw new RangeError('must be an IP address or a CIDR range such as 203.0.113.0/24 or 2001:db8::/32');
  }
  const range = new BlockList();
  range.addSubnet(address, prefix, family);
  return (value) => {
    const actual = value.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '');
    return addressFamily(actual) === family && range.check(actual, family);
  };
}

function addressFamily(address: string): 'ipv4' | 'ipv6' | undefined {
  const version = isIP(address);
  return version === 0 ? undefined : version === 4 ? 'ipv4' : 'ipv6';
}

/** ARNs compare part by part, so that a wildcard never reaches over a colon except in the last part. */
function compileArn(policyValue: string, variables: boolean): Comparison {
  const parts = splitArn(policyValue);
  if (policyValue !== '*' && (parts === undefined || parts[0] !== 'arn')) {
    throw new RangeError('must be an ARN: arn:partition:service:region:account:resource');
  }
  const patterns: readonly TextPattern[] = (parts ?? []).map((part) =>
    compilePattern(part, { wildcards: true, variables }),
  );
  return (value, resolve) => {
    if (parts === undefined) {
      return true;
    }
    const outcomes = splitArn(value)?.map((part, index) => patterns[index]?.matches(part, resolve));
    if (outcomes === undefined || outcomes.includes(false)) {
      return false;
    }
    return outcomes.includes(undefined) ? undefined : true;
  };
}

/** The six parts of an ARN; a colon inside `${aws:username}` separates nothing. */
function splitArn(value: string): string[] | undefined {
  const parts: string[] = [];
  let from = 0;
  let inVariable = false;
  for (let at = 0; at < value.length && parts.length < 5; at++) {
    if (value.startsWith('${', at)) {
      inVariable = value.includes('}', at);
    } else if (value[at] === '}') {
      inVariable = false;
    } else if (value[at] === ':' && !inVariable) {
      parts.push(value.slice(from, at));
      from = at + 1;
    }
  }
  return parts.length < 5 ? undefined : [...parts, value.slice(from)];
}
