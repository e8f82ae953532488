import type { Statement } from '../database/statement';
import type { AccessKeyRow } from './access-key-row';

/** A policy as a session keeps it: later changes of the stored one do not reach the session. */
export interface SessionPolicy {
  readonly name: string;
  readonly document: string;
}

/** Temporary credentials with the access key that they were issued to, as requests need them. */
export interface SessionRow {
  readonly accessKeyId: string;
  /** The access key that they come from, however many sessions lie between; undefined for root itself. */
  readonly issuer: AccessKeyRow | undefined;
  readonly issuerMac: Buffer;
  readonly sealedSecret: Buffer;
  readonly tokenDigest: Buffer;
  readonly sessionName: string;
  readonly policies: readonly (readonly SessionPolicy[])[];
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

/** What {@link FIND_SESSION} gives. */
export type JoinedSessionRow = Omit<SessionRow, 'issuer'> & {
  readonly [K in keyof AccessKeyRow as `issuer${Capitalize<K>}`]: AccessKeyRow[K] | null;
};

export const FIND_SESSION: Statement = {
  name: 'identity.find-session',
  text: `
    SELECT s.access_key_id AS "accessKeyId", s.issuer_mac AS "issuerMac", s.sealed_secret AS "sealedSecret",
           s.token_digest AS "tokenDigest", s.session_name AS "sessionName", s.policies,
           s.created_at AS "createdAt", s.expires_at AS "expiresAt",
           k.access_key_id AS "issuerAccessKeyId", k.sealed_secret AS "issuerSealedSecret", k.status AS "issuerStatus",
           k.session_policy AS "issuerSessionPolicy", k.expires_at AS "issuerExpiresAt",
           u.id AS "issuerUserId", u.name AS "issuerUserName", u.status AS "issuerUserStatus",
           u.owner_id AS "issuerOwnerId"
    FROM sts_session s
    LEFT JOIN access_key k ON k.access_key_id = s.issuer_key_id
    LEFT JOIN iam_user u ON u.id = k.user_id
    WHERE s.access_key_id = $1`,
};

/** Takes what belongs to the issuer into a row of its own. */
export function sessionRowOf(row: JoinedSessionRow): SessionRow {
  return { ...row, issuer: issuerOf(row) };
}

function issuerOf(row: JoinedSessionRow): AccessKeyRow | undefined {
  if (row.issuerAccessKeyId === null || row.issuerSealedSecret === null || row.issuerStatus === null) {
    return undefined;
  }
  return {
    accessKeyId: row.issuerAccessKeyId,
    sealedSecret: row.issuerSealedSecret,
    status: row.issuerStatus,
    sessionPolicy: row.issuerSessionPolicy,
    expiresAt: row.issuerExpiresAt,
    userId: row.issuerUserId,
    userName: row.issuerUserName,
    userStatus: row.issuerUserStatus,
    ownerId: row.issuerOwnerId,
  };
}
