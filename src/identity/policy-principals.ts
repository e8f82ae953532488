import type { Principal } from './identity.types';
import type { StatementReader } from './policy-statement-reader';
import type { CompiledPrincipals, PolicyKind } from './policy.types';

const USER_ARN = /^arn:[a-z0-9-]+:iam::(\d{12})?:user\/(?:[^*?]*\/)?([^/*?]+)$/;
const ACCOUNT = /^(?:arn:[a-z0-9-]+:iam::(\d{12})?:root|\d{12})$/;
const USER_NAME = /^[\w+=,.@-]{1,128}$/;
/** Kinds of principals that a policy can name. */
export const PRINCIPAL_KINDS: readonly string[] = ['AWS', 'CanonicalUser', 'Service', 'Federated'];

/**
 * Reads `Principal` or `NotPrincipal`, due in bucket policies and forbidden elsewhere. Accepts user names, user ARNs,
 * the account (`arn:aws:iam::…:root`), canonical ids and `*`; services and federations are understood and match nobody.
 */
export function compilePrincipals(reader: StatementReader, kind: PolicyKind): CompiledPrincipals | undefined {
  const element = reader.oneOf('Principal', 'NotPrincipal');
  if (kind.type === 'identity') {
    if (element !== undefined) {
      reader.complain(element, 'belongs into bucket policies only');
    }
    return undefined;
  }
  if (element === undefined) {
    reader.complain('Principal', 'is missing');
    return undefined;
  }
  const found = { everyone: false, account: false, userNames: new Set<string>(), ownerIds: new Set<string>() };
  const value = reader.value(element);
  if (value === '*') {
    found.everyone = true;
  } else if (typeof value !== 'object' || value === null || Array.isArray(value) || Object.keys(value).length === 0) {
    reader.complain(element, 'must be "*" or an object such as {"AWS": ["arn:aws:iam:::user/alice"]}');
  } else {
    for (const [kindName, names] of Object.entries(value)) {
      readKind(reader, `${element}.${kindName}`, kindName, names, found);
    }
  }
  if (element === 'NotPrincipal' && reader.value('Effect') !== 'Deny') {
    reader.complain(element, 'works with Effect "Deny" only');
  }
  return { inverted: element === 'NotPrincipal', ...found };
}

/** Whether a name can be that of an `AWS` principal: everyone, the account, or a user, who need not exist. */
export function isAwsPrincipal(name: string): boolean {
  return name === '*' || ACCOUNT.test(name) || USER_ARN.test(name) || USER_NAME.test(name);
}

function readKind(
  reader: StatementReader,
  element: string,
  kindName: string,
  value: unknown,
  found: { everyone: boolean; account: boolean; userNames: Set<string>; ownerIds: Set<string> },
): void {
  if (!PRINCIPAL_KINDS.includes(kindName)) {
    reader.complain(element, `is not a kind of principal (${PRINCIPAL_KINDS.join(', ')})`);
    return;
  }
  for (const name of reader.texts(element, value)) {
    if (kindName === 'CanonicalUser') {
      found.ownerIds.add(name);
    } else if (kindName === 'AWS') {
      const userName = USER_ARN.exec(name)?.[2];
      if (name === '*') {
        found.everyone = true;
      } else if (ACCOUNT.test(name)) {
        found.account = true;
      } else if (userName !== undefined || USER_NAME.test(name)) {
        found.userNames.add(userName ?? name);
      } else {
        reader.complain(element, `"${name}" must be "*", a user name or an ARN such as "arn:aws:iam:::user/alice"`);
      }
    }
  }
}

/**
 * Whether a statement speaks of the caller. The account as a principal delegates to identity policies, as in AWS: in a
 * Deny it means every authenticated caller, in an Allow it grants nothing by itself.
 */
export function principalMatches(
  principals: CompiledPrincipals,
  effect: 'Allow' | 'Deny',
  principal: Principal,
): boolean {
  const authenticated = principal.kind !== 'anonymous';
  const listed =
    principals.everyone ||
    (authenticated && (principals.userNames.has(principal.name) || principals.ownerIds.has(principal.ownerId)));
  if (principals.inverted) {
    return !listed;
  }
  return listed || (principals.account && authenticated && effect === 'Deny');
}
