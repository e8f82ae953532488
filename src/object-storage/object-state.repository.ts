import { Injectable } from '@nestjs/common';
import type { EncryptionRecord } from '../crypto/encryption.types';
import { Database } from '../database/database';
import type { Statement } from '../database/statement';
import { ENCRYPTION_COLUMNS, encryptionValues } from './encryption-columns';
import type { DeleteEntry } from './object-storage.types';

const THE_VERSION = `b.name = $1 AND v.bucket_id = b.id AND v.key = $2 AND v.version_id = $3 AND NOT v.delete_marker`;

const SET_RESTORED: Statement = {
  name: 'object-state.set-restored',
  text: `UPDATE object_version v SET metadata = jsonb_set(v.metadata, '{restoredUntil}', to_jsonb($4::text))
    FROM bucket b WHERE ${THE_VERSION}`,
};
const SET_ENCRYPTION: Statement = {
  name: 'object-state.set-encryption',
  text: `UPDATE object_version v SET ${ENCRYPTION_COLUMNS.map((column, index) => `${column} = $${index + 6}`).join(', ')}
    FROM bucket b WHERE ${THE_VERSION} AND v.iv = $4 AND v.sealed_key = $5`,
};

/** Versions changed in place: what they are sealed by, and until when they are restored. */
@Injectable()
export class ObjectStateRepository {
  constructor(private readonly database: Database) {}

  /** False when there is no such version any more. */
  async setRestored(bucket: string, entry: DeleteEntry, until: Date): Promise<boolean> {
    return (await this.database.execute(SET_RESTORED, [bucket, entry.key, entry.versionId, until.toISOString()])) > 0;
  }

  /** Replaces the seal of a version, provided that it still is as expected; false when not. */
  async setEncryption(
    bucket: string,
    entry: DeleteEntry,
    expected: EncryptionRecord,
    record: EncryptionRecord,
  ): Promise<boolean> {
    const version = [bucket, entry.key, entry.versionId, expected.iv, expected.sealedKey];
    return (await this.database.execute(SET_ENCRYPTION, [...version, ...encryptionValues(record)])) > 0;
  }
}
