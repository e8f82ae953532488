import { assert, date, double, integer, property, record } from 'fast-check';
import { judgeRotation, MOST_WRAPS } from './rotation-policy';

const DAY = 86_400_000;
const NOW = new Date('2026-06-01T00:00:00Z');
const days = (count: number): Date => new Date(NOW.getTime() - count * DAY);
const RULE = { automatic: true, rewrap: false };

describe('judgeRotation', () => {
  it('goes by age, exactly to the moment', () => {
    const rule = { ...RULE, maxAgeDays: 90 };
    const young = { since: new Date(days(90).getTime() + 1), wraps: 5, rotatedBefore: true };
    expect(judgeRotation(rule, young, NOW)).toEqual({
      due: false,
      reason: 'age',
      nextDue: new Date(NOW.getTime() + 1),
    });
    expect(judgeRotation(rule, { ...young, since: days(90) }, NOW)).toEqual({ due: true, reason: 'age', nextDue: NOW });
    expect(judgeRotation(rule, { since: days(91), wraps: 0, rotatedBefore: false }, NOW)).toMatchObject({
      due: true,
      reason: 'never-rotated',
    });
  });

  it('goes by wraps, with an estimate of when', () => {
    const rule = { ...RULE, maxWraps: 1_000_000 };
    const used = { since: days(10), wraps: 500_000, rotatedBefore: true };
    expect(judgeRotation(rule, used, NOW)).toEqual({
      due: false,
      reason: 'wraps',
      nextDue: new Date(NOW.getTime() + 10 * DAY),
    });
    expect(judgeRotation(rule, { ...used, wraps: 1_000_000 }, NOW)).toMatchObject({ due: true, reason: 'wraps' });
    expect(judgeRotation(rule, { wraps: 0, rotatedBefore: false }, NOW)).toEqual({ due: false });
  });

  it('takes whichever comes first', () => {
    const rule = { ...RULE, maxAgeDays: 15, maxWraps: 1_000_000 };
    const used = { since: days(10), wraps: 500_000, rotatedBefore: true };
    expect(judgeRotation(rule, used, NOW)).toMatchObject({ reason: 'age' });
    expect(judgeRotation(rule, { ...used, wraps: 900_000 }, NOW)).toMatchObject({ due: false, reason: 'wraps' });
  });

  it('never lets a version pass the bound of AES-GCM, rule or not', () => {
    const worn = { since: days(1), wraps: MOST_WRAPS, rotatedBefore: true };
    for (const rule of [undefined, { ...RULE, maxAgeDays: 3_650 }, { ...RULE, maxWraps: MOST_WRAPS * 2 }]) {
      expect(judgeRotation(rule, worn, NOW)).toMatchObject({ due: true, reason: 'wraps' });
      expect(judgeRotation(rule, { ...worn, wraps: MOST_WRAPS - 1 }, NOW).due).toBe(false);
    }
  });

  it('calls a key due exactly when what it says is not in the future', () => {
    const facts = record({
      age: double({ min: 0, max: 10_000, noNaN: true }),
      wraps: integer({ min: 0, max: 3_000_000 }),
      maxAgeDays: integer({ min: 1, max: 3_650 }),
      maxWraps: integer({ min: 10_000, max: 2_000_000 }),
      now: date({ min: new Date('2026-01-01'), max: new Date('2100-01-01'), noInvalidDate: true }),
    });
    assert(
      property(facts, ({ age, wraps, maxAgeDays, maxWraps, now }) => {
        const since = new Date(now.getTime() - age * DAY);
        const verdict = judgeRotation({ ...RULE, maxAgeDays, maxWraps }, { since, wraps, rotatedBefore: true }, now);
        expect(verdict.due).toBe(wraps >= maxWraps || since.getTime() + maxAgeDays * DAY <= now.getTime());
        expect((verdict.nextDue?.getTime() ?? Infinity) <= now.getTime()).toBe(verdict.due);
      }),
    );
  });
});
