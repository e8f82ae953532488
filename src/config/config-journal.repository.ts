import type { Database } from '../database/database';
import type { Statement } from '../database/statement';
import type { SealedFields } from './config-document';
import type { HistoryEntry } from './subsystem';

/** A change as stored, with the document it left behind. */
export interface JournalRow {
  readonly version: number;
  readonly subsystem: string;
  readonly target: string;
  readonly action: HistoryEntry['action'];
  readonly changedAt: Date;
  readonly changedBy: string;
  /** Null after a delete. */
  readonly fields: SealedFields | null;
}

const COLUMNS = `version::float8 AS version, subsystem, target, action, changed_at AS "changedAt",
  changed_by AS "changedBy", fields`;
const IS_SHOWN = `NOT EXISTS (
  SELECT 1 FROM config_history_hidden m
  WHERE m.version = h.version OR (m.and_earlier AND m.version >= h.version))`;

const LIST: Statement = {
  name: 'config.list-journal',
  text: `SELECT ${COLUMNS} FROM config_history h WHERE ${IS_SHOWN} ORDER BY h.version DESC LIMIT $1`,
};
const FIND: Statement = {
  name: 'config.find-in-journal',
  text: `SELECT ${COLUMNS} FROM config_history h WHERE h.version = $1 AND ${IS_SHOWN}`,
};
const HIDE: Statement = {
  name: 'config.hide-in-journal',
  text: `INSERT INTO config_history_hidden (version, and_earlier, hidden_by) VALUES ($1, false, $2)
    ON CONFLICT DO NOTHING`,
};
const HIDE_ALL: Statement = {
  name: 'config.hide-journal',
  text: `INSERT INTO config_history_hidden (version, and_earlier, hidden_by)
    SELECT max(version), true, $1 FROM config_history HAVING max(version) IS NOT NULL ON CONFLICT DO NOTHING`,
};

/** Changes of all documents in one list, and which of them are hidden from it. Nothing is ever deleted. */
export class ConfigJournalRepository {
  constructor(private readonly database: Database) {}

  /** Changes that are not hidden, latest first. */
  async list(limit: number): Promise<readonly JournalRow[]> {
    return this.database.query<JournalRow>(LIST, [limit]);
  }

  async find(version: number): Promise<JournalRow | undefined> {
    return (await this.database.query<JournalRow>(FIND, [version]))[0];
  }

  async hide(version: number, hiddenBy: string): Promise<void> {
    await this.database.execute(HIDE, [version, hiddenBy]);
  }

  /** Hides every change up to now. */
  async hideAll(hiddenBy: string): Promise<void> {
    await this.database.execute(HIDE_ALL, [hiddenBy]);
  }
}
