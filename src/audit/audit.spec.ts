import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { createTestDatabase, type TestDatabase } from '../../test/support/database';
import { eventually } from '../../test/support/eventually';
import type { AuditEvent } from '../common/audit-trail';
import { AuditLog } from './audit-log.service';
import { AuditReader } from './audit-reader.service';
import { draftOf } from './audit-record';
import { AuditRepository } from './audit.repository';

const EVENT: AuditEvent = {
  category: 'kms',
  operation: 'AdminRotateKey',
  principal: 'alice',
  outcome: 'success',
  kms: 'vault:default',
  keyId: 'blue',
  keyVersion: '3',
  sourceIp: '::ffff:192.0.2.7',
  userAgent: 'mc',
  requestId: 'R1',
  seconds: 0.0125,
  details: { action: 'set' },
};

let database: TestDatabase;
let log: AuditLog;
let reader: AuditReader;
const rootKey = randomBytes(32);

function open(key = rootKey): { log: AuditLog; reader: AuditReader } {
  const repository = new AuditRepository(database.database);
  return { log: new AuditLog(repository, key), reader: new AuditReader(repository, key) };
}

/** Does what a trespasser with the database's password would: past the trigger. */
async function tamper(statement: string): Promise<void> {
  const { pool } = database.database;
  await pool.query('ALTER TABLE audit_record DISABLE TRIGGER ALL');
  await pool.query(statement);
  await pool.query('ALTER TABLE audit_record ENABLE TRIGGER ALL');
}

beforeEach(async () => {
  database = await createTestDatabase();
  ({ log, reader } = open());
});
afterEach(async () => {
  await log.onApplicationShutdown();
  await database.close();
});

describe('the audit log', () => {
  it('gives back what it was told, and nothing that was not', async () => {
    await log.record(EVENT);
    const { records } = await reader.find({}, undefined, 10);
    expect(records.map(({ record }) => record)).toEqual([
      {
        sequence: 1,
        at: expect.any(Date) as Date,
        category: 'kms',
        operation: 'AdminRotateKey',
        principal: 'alice',
        outcome: 'success',
        errorClass: null,
        resource: null,
        kms: 'vault:default',
        keyId: 'blue',
        keyVersion: '3',
        sourceIp: '192.0.2.7',
        userAgent: 'mc',
        requestId: 'R1',
        microseconds: 12_500,
        calls: 1,
        details: '{"action":"set"}',
      },
    ]);
  });

  it('refuses every change of a record', async () => {
    await log.record(EVENT);
    const { pool } = database.database;
    await expect(pool.query(`UPDATE audit_record SET principal = 'bob'`)).rejects.toThrow('append-only');
    await expect(pool.query('DELETE FROM audit_record')).rejects.toThrow('append-only');
    await expect(pool.query('TRUNCATE audit_record')).rejects.toThrow('append-only');
  });

  it('writes noted events in one batch, and counts equal ones together', async () => {
    log.note(EVENT);
    log.note({ ...EVENT, principal: 'bob' });
    for (let call = 0; call < 1_000; call++) {
      log.count({ ...EVENT, operation: 'KmsDecrypt', seconds: call / 1e6, requestId: String(call) });
    }
    log.count({ ...EVENT, operation: 'KmsDecrypt', keyId: 'red' });
    await log.flush();
    const { records } = await reader.find({}, undefined, 10);
    expect(records.map(({ record }) => [record.operation, record.keyId, record.calls])).toEqual([
      ['KmsDecrypt', 'red', 1],
      ['KmsDecrypt', 'blue', 1_000],
      ['AdminRotateKey', 'blue', 1],
      ['AdminRotateKey', 'blue', 1],
    ]);
    expect(records[1]?.record.microseconds).toBe(999);
    expect(await reader.verify()).toMatchObject({ ok: true, checked: 4 });
  });

  it('writes noted events by itself', async () => {
    log.note(EVENT);
    await eventually(async () => {
      expect((await reader.find({}, undefined, 10)).records).toHaveLength(1);
    });
  });

  it('filters and pages', async () => {
    for (let index = 1; index <= 5; index++) {
      await log.record({ ...EVENT, principal: index % 2 === 0 ? 'bob' : 'alice', keyId: `key-${index}` });
    }
    const sequences = async (...query: Parameters<AuditReader['find']>): Promise<unknown[]> =>
      (await reader.find(...query)).records.map(({ record }) => record.sequence);
    expect(await sequences({ principal: 'bob' }, undefined, 10)).toEqual([4, 2]);
    expect(await sequences({ keyId: 'key-5' }, undefined, 10)).toEqual([5]);
    expect(await sequences({ outcome: 'denied' }, undefined, 10)).toEqual([]);
    expect(await sequences({ until: new Date(0) }, undefined, 10)).toEqual([]);
    const page = await reader.find({}, undefined, 2);
    expect(page.next).toBe(4);
    expect(await sequences({}, page.next, 2)).toEqual([3, 2]);
    expect((await reader.find({}, 2, 2)).next).toBeUndefined();
  });

  it('makes one chain of what several processes write at the same time', async () => {
    const processes = Array.from({ length: 4 }, () => open().log);
    await Promise.all(processes.flatMap((each) => Array.from({ length: 10 }, () => each.record(EVENT))));
    expect(await reader.verify()).toMatchObject({ ok: true, checked: 40, lastSequence: 40 });
  });

  it('stays verifiable whatever texts come from outside', async () => {
    const anyText = fc.string({ unit: 'binary', maxLength: 700 });
    const nasty = fc.oneof(anyText, fc.constantFrom('\0', '\ud800', '"\\\u2028', ''));
    const events = fc.sample(fc.record({ userAgent: nasty, resource: nasty, keyId: nasty, principal: nasty }), 100);
    for (const event of events) {
      log.note({ ...EVENT, ...event, details: { text: event.resource } });
    }
    await log.flush();
    expect(await reader.verify()).toMatchObject({ ok: true, checked: 100 });
  });

  it('keeps events while it cannot write, and writes them later', async () => {
    const { pool } = database.database;
    await pool.query('ALTER TABLE audit_record RENAME TO away');
    log.note(EVENT);
    await log.flush();
    await pool.query('ALTER TABLE away RENAME TO audit_record');
    await log.flush();
    expect((await reader.find({}, undefined, 10)).records).toHaveLength(1);
  });

  it('bounds what waits, and says how much was left out', async () => {
    for (let index = 0; index < 10_005; index++) {
      log.note(EVENT);
    }
    await log.flush();
    const { records } = await reader.find({ category: 'system' }, undefined, 10);
    expect(records.map(({ record }) => [record.operation, record.calls])).toEqual([['AuditOverflow', 5]]);
  });
});

describe('checking the chain', () => {
  beforeEach(async () => {
    for (let index = 1; index <= 5; index++) {
      await log.record({ ...EVENT, requestId: `R${index}` });
    }
    expect(await reader.verify()).toMatchObject({ ok: true, checked: 5 });
  });

  it.each([
    ['an altered field', `UPDATE audit_record SET principal = 'bob' WHERE sequence = 3`, 3, 'altered'],
    ['an altered time', `UPDATE audit_record SET at = at + interval '1 ms' WHERE sequence = 2`, 2, 'altered'],
    ['a record taken out', 'DELETE FROM audit_record WHERE sequence = 3', 3, 'missing'],
    ['the first record taken out', 'DELETE FROM audit_record WHERE sequence = 1', 1, 'missing'],
    ['the last record taken out', 'DELETE FROM audit_record WHERE sequence = 5', 5, 'missing'],
    [
      'two records exchanged',
      `UPDATE audit_record SET sequence = CASE sequence WHEN 2 THEN -3 ELSE -2 END WHERE sequence IN (2, 3);
       UPDATE audit_record SET sequence = -sequence WHERE sequence < 0`,
      2,
      'altered',
    ],
    [
      'records cut off together with the head',
      `DELETE FROM audit_record WHERE sequence > 3;
       UPDATE audit_head SET sequence = 3, hash = (SELECT hash FROM audit_record WHERE sequence = 3)`,
      3,
      'head',
    ],
    ['a forged head', `UPDATE audit_head SET seal = decode(repeat('00', 32), 'hex')`, 5, 'head'],
    [
      'a record put behind the head',
      `INSERT INTO audit_record (sequence, at, category, operation, principal, outcome, calls, hash)
       SELECT 6, at, category, operation, principal, outcome, calls, hash FROM audit_record WHERE sequence = 5`,
      5,
      'head',
    ],
  ])('finds %s', async (_what, statement, sequence, reason) => {
    await tamper(statement);
    expect(await reader.verify()).toMatchObject({ ok: false, problem: { sequence, reason } });
  });

  it('finds a record written under another root key', async () => {
    expect(await open(randomBytes(32)).reader.verify()).toMatchObject({ ok: false, problem: { sequence: 1 } });
  });

  it('keeps a broken end visible after more was written', async () => {
    await tamper(`
      DELETE FROM audit_record WHERE sequence > 3;
      UPDATE audit_head SET sequence = 3, hash = (SELECT hash FROM audit_record WHERE sequence = 3)`);
    await log.record(EVENT);
    const { records } = await reader.find({ category: 'system' }, undefined, 10);
    expect(records.map(({ record }) => [record.sequence, record.operation])).toEqual([[4, 'AuditChainBroken']]);
  });

  it('can begin in the middle', async () => {
    await tamper(`UPDATE audit_record SET principal = 'bob' WHERE sequence = 2`);
    expect(await reader.verify(4)).toMatchObject({ ok: true, checked: 2, firstSequence: 4 });
  });
});

it('bounds the length of every text', () => {
  const long = 'x'.repeat(5_000);
  const draft = draftOf({ ...EVENT, userAgent: long, resource: long, details: { long } }, new Date());
  expect(draft.userAgent).toHaveLength(512);
  expect(draft.resource).toHaveLength(2_048);
  expect(draft.details?.length).toBeLessThan(600);
});
