import { Inject, Injectable } from '@nestjs/common';
import { SealedBoxError, unseal } from '../../common/sealed-box';
import { Database, type Transaction } from '../../database/database';
import type { Queryable, Statement } from '../../database/statement';
import { ROOT_KEY } from '../../settings/root-key';
import { Keyring, materialPurpose } from '../keyring';
import { KEYRING_CHANNEL, type KeyringRow } from '../keyring.repository';
import { BUILTIN_KMS } from '../kms-registry.service';
import type { SnapshotKey } from './keyring-snapshot';

interface VersionRow extends KeyringRow {
  readonly description: string | null;
  readonly tags: Readonly<Record<string, string>> | null;
  readonly version: number;
  readonly sealedMaterial: Buffer;
  readonly versionCreatedAt: Date;
}

const READ: Statement = {
  name: 'kms.read-keyring',
  text: `SELECT k.key_id AS "keyId", k.kind, k.state, k.created_at AS "createdAt", k.created_by AS "createdBy",
      k.deletion_date AS "deletionDate", n.description, n.tags, v.version, v.sealed_material AS "sealedMaterial",
      v.created_at AS "versionCreatedAt"
    FROM kms_key k JOIN kms_key_version v USING (key_id)
    LEFT JOIN kms_key_note n ON n.kms = $1 AND n.key_id = k.key_id
    ORDER BY k.key_id, v.version`,
};
const MAKE_IDENTITY: Statement = {
  name: 'kms.make-deployment-identity',
  text: `INSERT INTO deployment_identity (id, identity) VALUES (1, gen_random_uuid()::text) ON CONFLICT (id) DO NOTHING`,
};
const IDENTITY: Statement = { name: 'kms.deployment-identity', text: 'SELECT identity FROM deployment_identity' };
const LOCK: Statement = { name: 'kms.lock-keyring', text: 'LOCK TABLE kms_key, kms_key_version IN EXCLUSIVE MODE' };
const DELETE: Statement = { name: 'kms.delete-restored', text: 'DELETE FROM kms_key WHERE key_id = $1' };
const INSERT_KEY: Statement = {
  name: 'kms.restore-key',
  text: `INSERT INTO kms_key (key_id, kind, state, created_at, created_by) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (key_id) DO NOTHING`,
};
const INSERT_VERSION: Statement = {
  name: 'kms.restore-version',
  text: `INSERT INTO kms_key_version (key_id, version, sealed_material, created_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (key_id, version) DO NOTHING`,
};
const INSERT_NOTE: Statement = {
  name: 'kms.restore-note',
  text: `INSERT INTO kms_key_note (kms, key_id, description, tags) VALUES ($1, $2, $3, $4::jsonb)
    ON CONFLICT (kms, key_id) DO NOTHING`,
};

/** The whole embedded keyring at once, for backups. */
@Injectable()
export class KeyringSnapshots {
  constructor(
    private readonly database: Database,
    private readonly keyring: Keyring,
    @Inject(ROOT_KEY) private readonly rootKey: Buffer,
  ) {}

  /** Which deployment this is: made on first use, and then the same for all its processes, for ever. */
  async deploymentIdentity(): Promise<string> {
    await this.database.execute(MAKE_IDENTITY);
    const [row] = await this.database.query<{ identity: string }>(IDENTITY);
    if (row === undefined) {
      throw new Error('The deployment has no identity');
    }
    return row.identity;
  }

  /** Every key at one moment. The caller wipes the material. */
  async read(on: Queryable = this.database): Promise<SnapshotKey[]> {
    const keys = new Map<string, SnapshotKey & { versions: Map<number, { material?: Buffer; createdAt: Date }> }>();
    for (const row of await on.query<VersionRow>(READ, [BUILTIN_KMS])) {
      const { version, sealedMaterial, versionCreatedAt, tags, ...key } = row;
      const known = keys.get(row.keyId) ?? { ...key, tags: tags ?? {}, versions: new Map() };
      known.versions.set(version, {
        material: this.open(row.keyId, version, sealedMaterial),
        createdAt: versionCreatedAt,
      });
      keys.set(row.keyId, known);
    }
    return [...keys.values()];
  }

  /**
   * Changes the keyring in one transaction, while nobody else can.
   * @param work is given the keys that are there, and says which to take away and which to add or complete
   */
  async change(
    work: (here: readonly SnapshotKey[]) => Promise<{
      readonly removed: readonly string[];
      readonly restored: readonly SnapshotKey[];
    }>,
  ): Promise<void> {
    await this.database.transaction(async (transaction) => {
      await transaction.execute(LOCK);
      const { removed, restored } = await work(await this.read(transaction));
      for (const keyId of removed) {
        await transaction.execute(DELETE, [keyId]);
      }
      for (const key of restored) {
        await this.write(transaction, key);
        await transaction.notify(KEYRING_CHANNEL, key.keyId);
      }
    });
    this.keyring.changed(undefined);
  }

  private async write(transaction: Transaction, key: SnapshotKey): Promise<void> {
    // A key whose deletion was under way would be destroyed at once if the time was over meanwhile.
    const state = key.state === 'pending-deletion' ? 'disabled' : key.state;
    await transaction.execute(INSERT_KEY, [key.keyId, key.kind, state, key.createdAt, key.createdBy]);
    for (const [version, { material, createdAt }] of key.versions) {
      if (material !== undefined) {
        const sealed = this.keyring.sealMaterial(key.keyId, version, material);
        await transaction.execute(INSERT_VERSION, [key.keyId, version, sealed, createdAt]);
      }
    }
    await transaction.execute(INSERT_NOTE, [BUILTIN_KMS, key.keyId, key.description, JSON.stringify(key.tags)]);
  }

  private open(keyId: string, version: number, sealed: Buffer): Buffer | undefined {
    try {
      return unseal(this.rootKey, sealed, materialPurpose(keyId, version));
    } catch (error) {
      if (error instanceof SealedBoxError) {
        return undefined;
      }
      throw error;
    }
  }
}
