import { IdentityError } from './identity-error';
import { parsePolicy } from './policy-document';
import type { NamedPolicy } from './policy-evaluator';
import type { PolicyKind } from './policy.types';

const DENY_EVERYTHING = parsePolicy(
  '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}',
);

/**
 * Compiles a policy that was validated when it was stored. One that no longer parses might have held a Deny, so it denies
 * everything, under a name that says why.
 */
export function compileStoredPolicy(name: string, document: string, kind?: PolicyKind): NamedPolicy {
  try {
    return { name, policy: parsePolicy(document, kind) };
  } catch (error) {
    if (!(error instanceof IdentityError)) {
      throw error;
    }
    return { name: `unreadable:${name}`, policy: DENY_EVERYTHING };
  }
}
