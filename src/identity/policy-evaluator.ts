import type { AccessDecision, AccessRequest } from './identity.types';
import { canonicalResource } from './policy-arn';
import type { ConditionLookup } from './policy-conditions';
import type { VariableResolver } from './policy-pattern';
import { principalMatches } from './policy-principals';
import type { CompiledPolicy, CompiledStatement, PatternList } from './policy.types';

/** A policy with the name that decisions give as their reason. */
export interface NamedPolicy {
  readonly name: string;
  readonly policy: CompiledPolicy;
}

/** Policies of which one has to allow and none may deny. */
export type PolicyLevel = readonly NamedPolicy[];

/** Everything that has a say in one request. */
export interface PolicySet {
  /** Policies of the user and of its groups. */
  readonly identityPolicies: readonly NamedPolicy[];
  /** Whether the caller may do everything that no policy denies (an access key of root). */
  readonly unlimited?: boolean;
  /**
   * Narrow what the parent of the credential may do, and never add to it: every level must allow, by one of its policies.
   * An access key has one level at most, a session one for itself and one for each credential it came from.
   */
  readonly sessionPolicies?: readonly PolicyLevel[];
  readonly bucketPolicy?: NamedPolicy;
}

/**
 * The reason for a refusal that nothing asks for: no policy allows the request, and none refuses it either, so that an
 * access list may still allow it.
 */
export const IMPLICIT_DENY = 'implicit-deny';

type Verdict = 'allow' | 'deny' | 'none';

/**
 * Decides one request as AWS does within one account: a matching Deny anywhere wins; otherwise an identity policy or the
 * bucket policy must allow; every level of session policies must allow as well. Pure: the same input gives the same answer.
 */
export function evaluateAccess(request: AccessRequest, policies: PolicySet): AccessDecision {
  const matcher = new RequestMatcher(request);
  const grants: NamedPolicy[] = [];
  for (const candidate of [...policies.identityPolicies, ...(policies.bucketPolicy ? [policies.bucketPolicy] : [])]) {
    const verdict = matcher.judge(candidate.policy);
    if (verdict === 'deny') {
      return { allowed: false, reason: `explicit-deny:${candidate.name}` };
    }
    if (verdict === 'allow') {
      grants.push(candidate);
    }
  }
  const levels = (policies.sessionPolicies ?? []).map((level) =>
    level.map((named) => ({ name: named.name, verdict: matcher.judge(named.policy) })),
  );
  const denial = levels.flat().find(({ verdict }) => verdict === 'deny');
  if (denial !== undefined) {
    return { allowed: false, reason: `explicit-deny:${denial.name}` };
  }
  if (levels.some((level) => level.every(({ verdict }) => verdict === 'none'))) {
    return { allowed: false, reason: `${IMPLICIT_DENY}:session-policy` };
  }
  if (policies.unlimited === true) {
    return { allowed: true, reason: 'root' };
  }
  const grant = grants[0];
  return grant === undefined
    ? { allowed: false, reason: IMPLICIT_DENY }
    : { allowed: true, reason: `allow:${grant.name}` };
}

class RequestMatcher {
  private readonly resource: string;
  private readonly lookup: ConditionLookup;
  private readonly resolve: VariableResolver;

  constructor(private readonly request: AccessRequest) {
    this.resource = canonicalResource(request.resource);
    const values = new Map<string, readonly string[]>();
    for (const [key, value] of Object.entries(request.conditions)) {
      if (value !== undefined) {
        values.set(key.toLowerCase(), typeof value === 'string' ? [value] : value);
      }
    }
    this.lookup = (key) => values.get(key.toLowerCase());
    this.resolve = (key) => {
      const found = this.lookup(key);
      return found?.length === 1 ? found[0] : undefined;
    };
  }

  judge(policy: CompiledPolicy): Verdict {
    let verdict: Verdict = 'none';
    for (const statement of policy.statements) {
      if (this.applies(statement)) {
        if (statement.effect === 'Deny') {
          return 'deny';
        }
        verdict = 'allow';
      }
    }
    return verdict;
  }

  private applies(statement: CompiledStatement): boolean {
    const denies = statement.effect === 'Deny';
    return (
      this.listMatches(statement.actions, this.request.action, denies) &&
      this.listMatches(statement.resources, this.resource, denies) &&
      (statement.principals === undefined ||
        principalMatches(statement.principals, statement.effect, this.request.principal)) &&
      statement.conditions.every((condition) => condition.holds(this.lookup, this.resolve, denies))
    );
  }

  /**
   * A pattern whose variable the request lacks matches nothing. Inverted, that would match everything; so there it counts
   * for a Deny and against an Allow.
   */
  private listMatches(list: PatternList, value: string, denies: boolean): boolean {
    if (!list.inverted) {
      return list.patterns.some((pattern) => pattern.matches(value, this.resolve) === true);
    }
    const outcomes = list.patterns.map((pattern) => pattern.matches(value, this.resolve));
    if (outcomes.includes(true)) {
      return false;
    }
    return outcomes.includes(undefined) ? denies : true;
  }
}
