import { ACCOUNT, userArn } from './account';
import type { AccessRequest, ConditionValue } from './identity.types';

/**
 * Adds the condition keys that describe the caller and the time. They replace whatever the request says of itself.
 * `aws:username` exists for users alone, as in AWS. A session is its parent to all of them: a Deny that names a user cannot
 * be shaken off by assuming a role.
 */
export function withPrincipalConditions(request: AccessRequest, now: Date): Record<string, ConditionValue | undefined> {
  const { principal } = request;
  const named: Record<string, ConditionValue | undefined> = {
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
  const reserved = new Set(Object.keys(named).map((key) => key.toLowerCase()));
  const asked = Object.entries(request.conditions).filter(([key]) => !reserved.has(key.toLowerCase()));
  return { ...Object.fromEntries(asked), ...named };
}
