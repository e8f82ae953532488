import { createHmac, timingSafeEqual } from 'node:crypto';
import { unseal } from '../common/sealed-box';
import { Secret } from '../common/secret';
import { ownerIdOf, secretPurpose, sessionSecretPurpose } from './credential-format';
import type { AccessKeyRow } from './access-key-row';
import type { Credential, Principal, SessionFacts } from './identity.types';
import type { PolicyLevel } from './policy-evaluator';
import type { SessionRow } from './session-row';
import { compileStoredPolicy } from './stored-policy';

/** The name of root where users have theirs. */
export const ROOT_NAME = 'root';

/** A credential with what its requests are judged by. */
export interface KnownCredential {
  readonly credential: Credential;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number | undefined;
  /** Undefined for credentials of root. */
  readonly userId: string | undefined;
  readonly sessionPolicies: readonly PolicyLevel[];
}

/** Opens a stored access key. @param rootKey 32 bytes */
export function openAccessKey(rootKey: Buffer, row: AccessKeyRow): KnownCredential {
  const sessionPolicies = levelOfKey(row);
  return {
    credential: {
      accessKeyId: row.accessKeyId,
      secretKey: secretOf(rootKey, row),
      principal: principalOf(row, row.accessKeyId, sessionPolicies.length > 0),
      status: row.status === 'enabled' && row.userStatus !== 'disabled' ? 'enabled' : 'disabled',
    },
    expiresAt: row.expiresAt?.getTime(),
    userId: row.userId ?? undefined,
    sessionPolicies,
  };
}

/**
 * Opens stored temporary credentials. They are as good as the credential that they were issued to: not enabled unless that
 * one is, not valid for longer, and bound by its policy.
 *
 * @param rootKey 32 bytes
 * @param root what root signs with at present
 * @returns undefined when the secret that they were issued to is no longer the present one
 */
export function openSession(rootKey: Buffer, row: SessionRow, root: Credential): KnownCredential | undefined {
  const { issuer } = row;
  const issuedTo = issuer === undefined ? root : { ...issuer, secretKey: secretOf(rootKey, issuer) };
  if (!timingSafeEqual(issuerMac(rootKey, issuedTo), row.issuerMac)) {
    return undefined;
  }
  const own = row.policies.map((level) => level.map(({ name, document }) => compileStoredPolicy(name, document)));
  const sessionPolicies = [...(issuer === undefined ? [] : levelOfKey(issuer)), ...own];
  const owner = issuer ?? { userName: null, ownerId: null };
  const session = { issuedAt: row.createdAt, name: row.sessionName };
  const end = Math.min(row.expiresAt.getTime(), issuer?.expiresAt?.getTime() ?? Infinity);
  return {
    credential: {
      accessKeyId: row.accessKeyId,
      secretKey: new Secret(unseal(rootKey, row.sealedSecret, sessionSecretPurpose(row.accessKeyId)).toString('utf8')),
      principal: principalOf(owner, row.accessKeyId, sessionPolicies.length > 0, session),
      status:
        issuer === undefined || (issuer.status === 'enabled' && issuer.userStatus !== 'disabled')
          ? 'enabled'
          : 'disabled',
      session: { tokenDigest: row.tokenDigest, expiresAt: new Date(end) },
    },
    expiresAt: end,
    userId: issuer?.userId ?? undefined,
    sessionPolicies,
  };
}

/** Ties temporary credentials to the very secret that asked for them, so that changing it ends them. */
export function issuerMac(rootKey: Buffer, issuer: Pick<Credential, 'accessKeyId' | 'secretKey'>): Buffer {
  return createHmac('sha256', rootKey)
    .update(`strongroom/sts-issuer/${issuer.accessKeyId}\0${issuer.secretKey.reveal()}`, 'utf8')
    .digest();
}

/** Whether a credential may be used now. */
export function isUsable(known: KnownCredential): boolean {
  return known.credential.status === 'enabled' && (known.expiresAt === undefined || known.expiresAt > Date.now());
}

function secretOf(rootKey: Buffer, row: AccessKeyRow): Secret {
  return new Secret(unseal(rootKey, row.sealedSecret, secretPurpose(row.accessKeyId)).toString('utf8'));
}

function levelOfKey({ sessionPolicy }: AccessKeyRow): readonly PolicyLevel[] {
  return sessionPolicy === null ? [] : [[compileStoredPolicy('session-policy', sessionPolicy)]];
}

/** A credential of root that a policy narrows is no longer root: its requests are judged like a user's. */
function principalOf(
  owner: Pick<AccessKeyRow, 'userName' | 'ownerId'>,
  accessKeyId: string,
  narrowed: boolean,
  session?: SessionFacts,
): Principal {
  const facts = { accessKeyId, ...(narrowed ? { narrowed } : {}), ...(session === undefined ? {} : { session }) };
  if (owner.userName !== null && owner.ownerId !== null) {
    return { kind: 'user', name: owner.userName, ownerId: owner.ownerId, ...facts };
  }
  return { kind: narrowed ? 'user' : 'root', name: ROOT_NAME, ownerId: ownerIdOf(ROOT_NAME), ...facts };
}
