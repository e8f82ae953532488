import type { CompiledCondition } from './policy-conditions';
import type { CompiledPolicy } from './policy.types';

/** Operators that hold only for what they name. Those with `IfExists` hold for requests that lack the key, too. */
const NARROWING_OPERATOR =
  /^(?:ForAnyValue:)?(?:StringEquals|StringEqualsIgnoreCase|StringLike|ArnEquals|ArnLike|IpAddress)$/;

/** Keys whose value says where a request comes from or who sends it, and which nobody can choose freely. */
const NARROWING_KEYS: ReadonlySet<string> = new Set(
  [
    'aws:PrincipalAccount',
    'aws:PrincipalArn',
    'aws:PrincipalOrgID',
    'aws:PrincipalOrgPaths',
    'aws:SourceAccount',
    'aws:SourceArn',
    'aws:SourceOwner',
    'aws:SourceVpc',
    'aws:SourceVpce',
    'aws:userid',
    'aws:username',
    's3:DataAccessPointAccount',
    's3:DataAccessPointArn',
    's3:x-amz-server-side-encryption-aws-kms-key-id',
  ].map((key) => key.toLowerCase()),
);

/** Ranges of addresses that are wider than this are as good as everyone, by AWS's reckoning. */
const WIDEST_IPV4 = 8;
const WIDEST_IPV6 = 32;

/**
 * Whether a bucket policy is public, as AWS reckons it: some statement allows something to everyone without a condition
 * that ties it to fixed senders. Statements that deny are left out of account.
 */
export function isPublicPolicy(policy: CompiledPolicy): boolean {
  return policy.statements.some(
    ({ effect, principals, conditions }) =>
      effect === 'Allow' && principals?.everyone === true && !conditions.some(narrows),
  );
}

function narrows({ operator, key, values }: CompiledCondition): boolean {
  if (!NARROWING_OPERATOR.test(operator)) {
    return false;
  }
  const name = key.toLowerCase();
  return name === 'aws:sourceip' ? values.every(isNarrowRange) : NARROWING_KEYS.has(name) && values.every(isFixed);
}

function isNarrowRange(value: string): boolean {
  const [address = '', prefix] = value.split('/', 2);
  return prefix === undefined || Number(prefix) >= (address.includes(':') ? WIDEST_IPV6 : WIDEST_IPV4);
}

function isFixed(value: string): boolean {
  return !/[*?]|\$\{/.test(value);
}
