import { ACCOUNT, userArn } from './account';
import { ANONYMOUS, type AccessRequest, type ConditionValue, type Principal } from './identity.types';

type Conditions = Record<string, ConditionValue | undefined>;

/** What no request may say of itself, in lower case. */
const RESERVED: ReadonlySet<string> = new Set(
  Object.keys(principalConditions(ANONYMOUS, new Date(0))).map((key) => key.toLowerCase()),
);

/**
 * Adds the condition keys that describe the caller and the time. They replace whatever the request says of itself.
 * `aws:username` exists for users alone, as in AWS. A session is its parent to all of them: a Deny that names a user cannot
 * be shaken off by assuming a role.
 */
export function withPrincipalConditions(request: AccessRequest, now: Date): Conditions {
  // Key by key, because spreads and lists of entries take longer than the whole evaluation.
  const conditions: Conditions = {};
  for (const key in request.conditions) {
    if (!RESERVED.has(key.toLowerCase())) {
      conditions[key] = request.conditions[key];
    }
  }
  return Object.assign(conditions, principalConditions(request.principal, now));
}

/** Every key is there for every caller; those that say nothing of this one are undefined. */
function principalConditions(principal: Principal, now: Date): Conditions {
  return {
    'aws:username': principal.kind === 'user' ? principal.name : undefined,
    'aws:userid': principal.kind === 'anonymous' ? undefined : principal.ownerId,
    'aws:PrincipalType': { root: 'Account', user: 'User', anonymous: 'Anonymous' }[principal.kind],
    'aws:PrincipalArn': principal.kind === 'anonymous' ? undefined : userArn(principal.name),
    'aws:PrincipalAccount': principal.kind === 'anonymous' ? undefined : ACCOUNT,
    'aws:PrincipalIsAWSService': 'false',
    'aws:ViaAWSService': 'false',
    'aws:TokenIssueTime': principal.session?.issuedAt.toISOString(),
    'sts:RoleSessionName': principal.session?.name || undefined,
    'aws:CurrentTime': now.toISOString(),
    'aws:EpochTime': String(Math.floor(now.getTime() / 1000)),
  };
}
