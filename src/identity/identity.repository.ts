import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';
import type { Statement } from '../database/statement';
import type { AccessKeyRow } from './access-key-row';
import { CANNED_POLICIES } from './canned-policies';
import { FIND_SESSION, type JoinedSessionRow, type SessionRow, sessionRowOf } from './session-row';

export interface PolicyRow {
  readonly name: string;
  readonly document: string;
}

const FIND_ACCESS_KEY: Statement = {
  name: 'identity.find-access-key',
  text: `
    SELECT k.access_key_id AS "accessKeyId", k.sealed_secret AS "sealedSecret", k.status,
           k.session_policy AS "sessionPolicy", k.expires_at AS "expiresAt",
           u.id AS "userId", u.name AS "userName", u.status AS "userStatus", u.owner_id AS "ownerId"
    FROM access_key k LEFT JOIN iam_user u ON u.id = k.user_id
    WHERE k.access_key_id = $1`,
};

const FIND_POLICIES: Statement = {
  name: 'identity.find-policies',
  text: `
    SELECT name, document FROM iam_policy WHERE name IN (
      SELECT policy_name FROM iam_user_policy WHERE user_id = $1
      UNION
      SELECT gp.policy_name FROM iam_group_member m
      JOIN iam_group g ON g.id = m.group_id AND g.status = 'enabled'
      JOIN iam_group_policy gp ON gp.group_id = g.id
      WHERE m.user_id = $1)
    ORDER BY name`,
};

const FIND_USER: Statement = {
  name: 'identity.find-user',
  text: `SELECT id AS "userId", name AS "userName", owner_id AS "ownerId" FROM iam_user WHERE name = $1`,
};

const FIND_POLICY: Statement = {
  name: 'identity.find-policy',
  text: `SELECT name, document FROM iam_policy WHERE name = $1`,
};

const FIND_OWNER: Statement = {
  name: 'identity.find-owner',
  text: `SELECT name AS "userName" FROM iam_user WHERE owner_id = $1`,
};

const FIND_MISSING_USER: Statement = {
  name: 'identity.find-missing-user',
  text: `
    SELECT asked.text AS "missing" FROM (
      SELECT name AS text, EXISTS (SELECT FROM iam_user u WHERE u.name = asked.name) AS found
      FROM unnest($1::text[]) AS asked (name)
      UNION ALL
      SELECT id, EXISTS (SELECT FROM iam_user u WHERE u.owner_id = asked.id)
      FROM unnest($2::text[]) AS asked (id)) asked
    WHERE NOT asked.found
    LIMIT 1`,
};

const UPSERT_BUILTIN: Statement = {
  name: 'identity.upsert-builtin-policy',
  text: `
    INSERT INTO iam_policy (name, document, builtin) VALUES ($1, $2, true)
    ON CONFLICT (name) DO UPDATE SET document = excluded.document, updated_at = now()
    WHERE iam_policy.builtin AND iam_policy.document <> excluded.document`,
};

/** The lookups behind every request, as named statements. */
@Injectable()
export class IdentityRepository {
  constructor(private readonly database: Database) {}

  async findAccessKey(accessKeyId: string): Promise<AccessKeyRow | undefined> {
    return (await this.database.query<AccessKeyRow>(FIND_ACCESS_KEY, [accessKeyId]))[0];
  }

  async findSession(accessKeyId: string): Promise<SessionRow | undefined> {
    const row = (await this.database.query<JoinedSessionRow>(FIND_SESSION, [accessKeyId]))[0];
    return row && sessionRowOf(row);
  }

  async findUser(
    name: string,
  ): Promise<{ readonly userId: string; readonly userName: string; readonly ownerId: string } | undefined> {
    return (await this.database.query<{ userId: string; userName: string; ownerId: string }>(FIND_USER, [name]))[0];
  }

  /** The user that a canonical id belongs to. */
  async findOwner(ownerId: string): Promise<{ readonly userName: string } | undefined> {
    return (await this.database.query<{ userName: string }>(FIND_OWNER, [ownerId]))[0];
  }

  /** One of the names of users and canonical ids that belongs to no user; undefined when all do. */
  async findMissingUser(names: readonly string[], ownerIds: readonly string[]): Promise<string | undefined> {
    return (await this.database.query<{ missing: string }>(FIND_MISSING_USER, [names, ownerIds]))[0]?.missing;
  }

  /** Policies attached to a user and to its enabled groups, by name. */
  async findPolicies(userId: string): Promise<PolicyRow[]> {
    return this.database.query<PolicyRow>(FIND_POLICIES, [userId]);
  }

  async findPolicy(name: string): Promise<PolicyRow | undefined> {
    return (await this.database.query<PolicyRow>(FIND_POLICY, [name]))[0];
  }

  /** Writes the canned policies, so that attachments can refer to them; a custom policy of the same name stays. */
  async storeCannedPolicies(): Promise<void> {
    for (const policy of CANNED_POLICIES) {
      await this.database.execute(UPSERT_BUILTIN, [policy.name, policy.document]);
    }
  }
}
