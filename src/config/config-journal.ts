import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';
import { MASK } from './config-document';
import { ConfigError } from './config-error';
import { ConfigJournalRepository, type JournalRow } from './config-journal.repository';
import { ConfigManager } from './config-manager';
import type { FieldValue, HistoryEntry, SetOptions } from './subsystem';

/** One change of any document, with the whole document it left behind. */
export interface JournalEntry {
  readonly version: number;
  readonly subsystem: string;
  readonly target: string;
  readonly action: HistoryEntry['action'];
  readonly changedAt: Date;
  readonly changedBy: string;
  /** Secrets masked; absent after a delete. */
  readonly fields?: Readonly<Record<string, FieldValue>>;
}

const LONGEST = 1000;

/**
 * The history of the whole configuration as MinIO's clients see it. They may clear it; the history itself is append-only,
 * so clearing only hides entries from this list, and says who did.
 */
@Injectable()
export class ConfigJournal {
  private readonly repository: ConfigJournalRepository;

  constructor(
    database: Database,
    private readonly manager: ConfigManager,
  ) {
    this.repository = new ConfigJournalRepository(database);
  }

  /** Changes that are not hidden, latest first. */
  async list(limit: number): Promise<readonly JournalEntry[]> {
    const rows = await this.repository.list(Math.min(Math.max(1, Math.trunc(limit)), LONGEST));
    return rows.map(toEntry);
  }

  /**
   * Brings the document of a change back to how that change left it; a change like any other, tested and recorded.
   *
   * @throws ConfigError `config-not-found` for a change that is hidden or never was, and what a change may throw
   */
  async restore(version: number, options: SetOptions): Promise<void> {
    const { subsystem, target, action } = await this.require(version);
    if (action !== 'delete') {
      await this.manager.rollback(subsystem, target, version, options);
      return;
    }
    await this.manager.delete(subsystem, target, options);
  }

  /** Hides one change. @throws ConfigError `config-not-found` */
  async hide(version: number, hiddenBy: string): Promise<void> {
    await this.require(version);
    await this.repository.hide(version, hiddenBy);
  }

  /** Hides every change up to now. */
  async hideAll(hiddenBy: string): Promise<void> {
    await this.repository.hideAll(hiddenBy);
  }

  private async require(version: number): Promise<JournalRow> {
    const row = Number.isSafeInteger(version) ? await this.repository.find(version) : undefined;
    if (row === undefined) {
      throw new ConfigError('config-not-found', 'There is no such change in the history', {
        details: { version: String(version) },
      });
    }
    return row;
  }
}

function toEntry({ fields, ...row }: JournalRow): JournalEntry {
  if (fields === null) {
    return row;
  }
  const masked = Object.entries(fields).map(([name, value]): [string, FieldValue] => [
    name,
    typeof value === 'object' ? MASK : value,
  ]);
  return { ...row, fields: Object.fromEntries(masked) };
}
