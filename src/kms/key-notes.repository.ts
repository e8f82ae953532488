import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';
import type { Statement } from '../database/statement';

/** What people wrote about a key. */
export interface KeyNote {
  readonly description?: string;
  readonly tags: Readonly<Record<string, string>>;
}

interface NoteRow {
  readonly keyId: string;
  readonly description: string | null;
  readonly tags: Readonly<Record<string, string>>;
}

const FIND: Statement = {
  name: 'kms.find-key-notes',
  text: `SELECT key_id AS "keyId", description, tags FROM kms_key_note WHERE kms = $1 AND key_id = ANY($2::text[])`,
};
const REPLACE: Statement = {
  name: 'kms.replace-key-note',
  text: `INSERT INTO kms_key_note (kms, key_id, description, tags) VALUES ($1, $2, $3, $4::jsonb)
    ON CONFLICT (kms, key_id) DO UPDATE SET description = excluded.description, tags = excluded.tags`,
};
const DESCRIBE: Statement = {
  name: 'kms.describe-key-note',
  text: `INSERT INTO kms_key_note (kms, key_id, description) VALUES ($1, $2, $3)
    ON CONFLICT (kms, key_id) DO UPDATE SET description = excluded.description`,
};
const TAG: Statement = {
  name: 'kms.tag-key',
  text: `INSERT INTO kms_key_note (kms, key_id, tags) VALUES ($1, $2, $3::jsonb)
    ON CONFLICT (kms, key_id) DO UPDATE SET tags = kms_key_note.tags || excluded.tags`,
};
const UNTAG: Statement = {
  name: 'kms.untag-key',
  text: `UPDATE kms_key_note SET tags = tags - $3::text[] WHERE kms = $1 AND key_id = $2`,
};

/** Descriptions and tags of keys, whichever KMS they live in. */
@Injectable()
export class KeyNotes {
  constructor(private readonly database: Database) {}

  /** Notes by key id; keys without one are left out. @param kms `<type>:<target>` */
  async find(kms: string, keyIds: readonly string[]): Promise<ReadonlyMap<string, KeyNote>> {
    const rows = await this.database.query<NoteRow>(FIND, [kms, keyIds]);
    return new Map(
      rows.map(({ keyId, description, tags }) => [keyId, { description: description ?? undefined, tags }]),
    );
  }

  /** Writes the note of a new key; what an earlier key of that name left goes. */
  async replace(kms: string, keyId: string, { description, tags }: KeyNote): Promise<void> {
    await this.database.execute(REPLACE, [kms, keyId, description ?? null, JSON.stringify(tags)]);
  }

  async describe(kms: string, keyId: string, description: string): Promise<void> {
    await this.database.execute(DESCRIBE, [kms, keyId, description]);
  }

  /** Adds tags, and replaces those of the same names. */
  async tag(kms: string, keyId: string, tags: Readonly<Record<string, string>>): Promise<void> {
    await this.database.execute(TAG, [kms, keyId, JSON.stringify(tags)]);
  }

  async untag(kms: string, keyId: string, names: readonly string[]): Promise<void> {
    await this.database.execute(UNTAG, [kms, keyId, names]);
  }
}
