import type { EntityManager } from 'typeorm';
import type { Database } from '../database/database';
import { ConfigDocumentEntity } from './config-document.entity';
import { ConfigHistoryEntity } from './config-history.entity';
import type { DocumentAddress, SealedFields, StoredDocument } from './config-document';
import type { HistoryEntry } from './subsystem';

/** Announces each change; the payload is its version. */
export const CONFIG_CHANNEL = 'strongroom_config';

export interface ConfigChange extends DocumentAddress {
  readonly action: HistoryEntry['action'];
  /** The document's version that the change was made from; 0 for none. */
  readonly baseVersion: number;
  /** Absent for a delete. */
  readonly fields?: SealedFields;
  readonly changedBy: string;
  readonly comment?: string;
  readonly diff: HistoryEntry['diff'];
}

export interface WrittenChange {
  readonly version: number;
  readonly changedAt: Date;
}

/** Configuration documents and their history in Postgres. Knows nothing of their meaning. */
export class ConfigRepository {
  constructor(private readonly database: Database) {}

  /** The number of the latest committed change; every change up to it is visible. */
  async currentVersion(): Promise<number> {
    const rows = await this.database.dataSource.query<{ version: string }[]>('SELECT version FROM config_state');
    return Number(rows[0]?.version ?? 0);
  }

  async findAll(): Promise<readonly StoredDocument[]> {
    return this.database.dataSource.getRepository(ConfigDocumentEntity).find();
  }

  async find(address: DocumentAddress): Promise<StoredDocument | undefined> {
    const documents = this.database.dataSource.getRepository(ConfigDocumentEntity);
    return (await documents.findOneBy({ subsystem: address.subsystem, target: address.target })) ?? undefined;
  }

  /** Changes of one document, latest first. */
  async history(address: DocumentAddress, limit: number): Promise<readonly HistoryEntry[]> {
    const rows = await this.database.dataSource.getRepository(ConfigHistoryEntity).find({
      where: { subsystem: address.subsystem, target: address.target },
      order: { version: 'DESC' },
      take: limit,
    });
    return rows.map(toHistoryEntry);
  }

  /** The document as one change left it: its fields, `null` when that change deleted it, `undefined` for no such change. */
  async fieldsAt(address: DocumentAddress, version: number): Promise<SealedFields | null | undefined> {
    const row = await this.database.dataSource
      .getRepository(ConfigHistoryEntity)
      .findOneBy({ version, subsystem: address.subsystem, target: address.target });
    return row === null ? undefined : row.fields;
  }

  /**
   * Writes one change, its history and its announcement in one transaction.
   *
   * @returns where and when it was written, or `undefined` when the document is no longer at `baseVersion` (nothing is
   * written)
   */
  async write(change: ConfigChange): Promise<WrittenChange | undefined> {
    return this.database.dataSource.transaction(async (manager) => {
      const state = await manager.query<{ version: string }[]>('SELECT version FROM config_state FOR UPDATE');
      const version = Number(state[0]?.version ?? 0) + 1;
      const address = { subsystem: change.subsystem, target: change.target };
      const current = await manager.findOne(ConfigDocumentEntity, {
        where: address,
        lock: { mode: 'pessimistic_write' },
      });
      if ((current?.version ?? 0) !== change.baseVersion) {
        return undefined;
      }
      await manager.query('UPDATE config_state SET version = $1', [version]);
      const written = { version, changedAt: new Date() };
      await writeDocument(manager, change, written);
      await manager.query('SELECT pg_notify($1, $2)', [CONFIG_CHANNEL, String(version)]);
      return written;
    });
  }
}

async function writeDocument(manager: EntityManager, change: ConfigChange, written: WrittenChange): Promise<void> {
  const address = { subsystem: change.subsystem, target: change.target };
  const { version, changedAt } = written;
  if (change.fields === undefined) {
    await manager.delete(ConfigDocumentEntity, address);
  } else {
    await manager.upsert(
      ConfigDocumentEntity,
      { ...address, version, fields: change.fields, updatedAt: changedAt, updatedBy: change.changedBy },
      ['subsystem', 'target'],
    );
  }
  await manager.insert(ConfigHistoryEntity, {
    ...address,
    version,
    action: change.action,
    changedAt,
    changedBy: change.changedBy,
    comment: change.comment ?? null,
    fields: change.fields ?? null,
    diff: change.diff,
  });
}

function toHistoryEntry(row: ConfigHistoryEntity): HistoryEntry {
  return {
    version: row.version,
    subsystem: row.subsystem,
    target: row.target,
    action: row.action,
    changedAt: row.changedAt,
    changedBy: row.changedBy,
    comment: row.comment ?? undefined,
    diff: row.diff,
  };
}
