import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';
import type { Statement } from '../database/statement';
import { noSuchEntity } from './entity-name';
import { IdentityChangeRepository } from './identity-change.repository';
import type { SessionRow } from './session-row';

export interface NewSession {
  readonly accessKeyId: string;
  readonly issuerKeyId: string | undefined;
  readonly issuerMac: Buffer;
  /** The session that asked for this one. */
  readonly parentId: string | undefined;
  readonly sealedSecret: Buffer;
  readonly tokenDigest: Buffer;
  readonly sessionName: string;
  readonly policies: SessionRow['policies'];
  readonly expiresAt: Date;
}

/** Temporary credentials as they are managed. */
export interface Session {
  readonly accessKeyId: string;
  /** Undefined for those of root. */
  readonly userName: string | undefined;
  readonly sessionName: string;
  readonly policies: SessionRow['policies'];
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

/** Expired rows stay for a week, so that their users are told that they are expired and not that they never were. */
const INSERT: Statement = {
  name: 'identity.insert-session',
  text: `
    WITH swept AS (
      DELETE FROM sts_session WHERE access_key_id IN (
        SELECT access_key_id FROM sts_session WHERE expires_at < now() - interval '7 days'
        LIMIT 100 FOR UPDATE SKIP LOCKED))
    INSERT INTO sts_session (access_key_id, issuer_key_id, issuer_mac, parent_id, sealed_secret, token_digest,
                             session_name, policies, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
};

const LIST: Statement = {
  name: 'identity.list-sessions',
  text: `
    SELECT s.access_key_id AS "accessKeyId", u.name AS "userName", s.session_name AS "sessionName", s.policies,
           s.created_at AS "createdAt", s.expires_at AS "expiresAt"
    FROM sts_session s
    LEFT JOIN access_key k ON k.access_key_id = s.issuer_key_id
    LEFT JOIN iam_user u ON u.id = k.user_id
    WHERE s.expires_at > now()
    ORDER BY s.access_key_id`,
};

/** Temporary credentials; sealed secrets and digests of tokens, never the tokens. */
@Injectable()
export class SessionRepository {
  constructor(
    private readonly database: Database,
    private readonly changes: IdentityChangeRepository,
  ) {}

  /** Stores a session; no process can have remembered its absence, so none has to be told. */
  async insert(session: NewSession): Promise<void> {
    await this.database.execute(INSERT, [
      session.accessKeyId,
      session.issuerKeyId ?? null,
      session.issuerMac,
      session.parentId ?? null,
      session.sealedSecret,
      session.tokenDigest,
      session.sessionName,
      JSON.stringify(session.policies),
      session.expiresAt,
    ]);
  }

  /** Every session that has not expired, whether or not what it was issued to is enabled. */
  async list(): Promise<Session[]> {
    const rows = await this.database.query<Omit<Session, 'userName'> & { userName: string | null }>(LIST, []);
    return rows.map((row) => ({ ...row, userName: row.userName ?? undefined }));
  }

  /** Ends a session and all that were made from it. @throws IdentityError `NoSuchEntity` */
  async delete(accessKeyId: string): Promise<void> {
    await this.changes.change(`The session "${accessKeyId}"`, async (manager) => {
      const deleted: unknown[] = await manager.query(
        'WITH gone AS (DELETE FROM sts_session WHERE access_key_id = $1 RETURNING 1) SELECT 1 FROM gone',
        [accessKeyId],
      );
      if (deleted.length === 0) {
        throw noSuchEntity('access key', accessKeyId);
      }
    });
  }

  /** Ends every session of a user, or of root. @returns how many there were */
  async deleteOfUser(userName: string | undefined): Promise<number> {
    return this.changes.change(`The sessions of "${userName ?? 'root'}"`, async (manager) => {
      const deleted: unknown[] = await manager.query(
        `WITH gone AS (
           DELETE FROM sts_session WHERE access_key_id IN (
             SELECT s.access_key_id FROM sts_session s
             LEFT JOIN access_key k ON k.access_key_id = s.issuer_key_id
             LEFT JOIN iam_user u ON u.id = k.user_id
             WHERE u.name IS NOT DISTINCT FROM $1) RETURNING 1)
         SELECT 1 FROM gone`,
        [userName ?? null],
      );
      return deleted.length;
    });
  }
}
