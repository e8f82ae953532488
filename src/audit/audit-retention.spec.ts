import { randomBytes } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { createTestDatabase, type TestDatabase } from '../../test/support/database';
import { Settings, type SettingsValues } from '../settings/settings';
import { AuditLog } from './audit-log.service';
import { AuditReader } from './audit-reader.service';
import { AuditRepository } from './audit.repository';
import { AuditRetention } from './audit-retention.service';

const rootKey = randomBytes(32);

describe('the retention of the audit log', () => {
  let database: TestDatabase;
  let log: AuditLog;
  let reader: AuditReader;

  beforeAll(() => Logger.overrideLogger(false));
  beforeEach(async () => {
    database = await createTestDatabase();
    const repository = new AuditRepository(database.database);
    log = new AuditLog(repository, rootKey);
    reader = new AuditReader(repository, rootKey);
    for (let index = 1; index <= 5; index++) {
      await log.record({ category: 'kms', operation: `Operation${index}`, principal: 'alice', outcome: 'success' });
    }
  });
  afterEach(async () => {
    await log.onApplicationShutdown();
    await database.close();
  });

  const retention = (seconds: number, key = rootKey): AuditRetention =>
    new AuditRetention(
      new AuditRepository(database.database),
      log,
      new Settings({ auditRetentionSeconds: seconds } as SettingsValues),
      key,
    );
  const operations = async (): Promise<string[]> =>
    (await reader.find({}, undefined, 100)).records.map(({ record }) => record.operation).reverse();
  /** Does what a trespasser with the database's password would: past the trigger. */
  const tamper = async (statement: string): Promise<void> => {
    const { pool } = database.database;
    await pool.query('ALTER TABLE audit_record DISABLE TRIGGER ALL');
    await pool.query(statement);
    await pool.query('ALTER TABLE audit_record ENABLE TRIGGER ALL');
  };

  it('removes nothing that is younger', async () => {
    expect(await retention(3_600).cut()).toBe(false);
    expect(await operations()).toHaveLength(5);
  });

  it('removes what is older, says so, and leaves a chain that verifies', async () => {
    await retention(0).cut();
    expect(await operations()).toEqual(['Operation5', 'AuditCut']);
    expect(await reader.verify()).toMatchObject({ ok: true, firstSequence: 5, checked: 2, lastSequence: 6 });
    const [cut] = (await reader.find({ operation: 'AuditCut' }, undefined, 1)).records;
    expect(JSON.parse(cut!.record.details!)).toMatchObject({ through: '4', records: '4' });
    await retention(0).cut();
    expect(await reader.verify()).toMatchObject({ ok: true, firstSequence: 6 });
  });

  it('shows a record altered or taken out behind the cut', async () => {
    await retention(0).cut();
    await tamper(`UPDATE audit_record SET principal = 'bob' WHERE sequence = 5`);
    expect((await reader.verify()).problem).toEqual({ sequence: 5, reason: 'altered' });
    await tamper('DELETE FROM audit_record WHERE sequence = 5');
    expect((await reader.verify()).problem).toEqual({ sequence: 5, reason: 'missing' });
  });

  it('shows a cut that was forged', async () => {
    await tamper(`INSERT INTO audit_cut (id, sequence, hash, seal)
      SELECT 1, sequence, hash, decode(repeat('00', 32), 'hex') FROM audit_record WHERE sequence = 3`);
    await tamper('DELETE FROM audit_record WHERE sequence <= 3');
    expect((await reader.verify()).problem).toEqual({ sequence: 3, reason: 'cut' });
  });

  it('does not remove what does not authenticate', async () => {
    await tamper(`UPDATE audit_record SET principal = 'bob' WHERE sequence = 2`);
    expect(await retention(0).cut()).toBe(false);
    expect(await operations()).toHaveLength(5);
    expect((await reader.verify()).problem).toEqual({ sequence: 2, reason: 'altered' });
  });

  it('keeps the table closed to everybody else', async () => {
    await retention(0).cut();
    await expect(database.database.pool.query('DELETE FROM audit_record')).rejects.toThrow('append-only');
  });
});
