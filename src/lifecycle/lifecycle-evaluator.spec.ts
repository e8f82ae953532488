import { abortOf, expirationOf, judge, type JudgedVersion } from './lifecycle-evaluator';
import { dueAfterDays } from './lifecycle-calendar';
import { keyRanges, rangeAt, removesObjects } from './lifecycle-ranges';
import type { LifecycleRule } from './lifecycle-rules';

const rule = (id: string, more: Partial<LifecycleRule>): LifecycleRule => ({
  id,
  enabled: true,
  form: 'filter',
  filter: {},
  transitions: [],
  noncurrentTransitions: [],
  ...more,
});

const current = (more: Partial<JudgedVersion> = {}): JudgedVersion => ({
  key: 'logs/a',
  size: 1_000,
  isCurrent: true,
  deleteMarker: false,
  alone: false,
  lastModified: new Date('2026-01-15T10:30:00Z'),
  newerNoncurrent: 0,
  ...more,
});

const at = (text: string): Date => new Date(text);

describe('days of lifecycle rules', () => {
  it('end at the midnight after they have passed, as the documentation of S3 has it', () => {
    expect(dueAfterDays(at('2014-01-15T10:30:00Z'), 3)).toEqual(at('2014-01-19T00:00:00Z'));
    expect(dueAfterDays(at('2014-01-15T00:00:00Z'), 1)).toEqual(at('2014-01-17T00:00:00Z'));
    expect(dueAfterDays(at('2014-01-15T23:59:59.999Z'), 1)).toEqual(at('2014-01-17T00:00:00Z'));
  });

  it('are not rounded when a test makes them short', () => {
    expect(dueAfterDays(at('2014-01-15T10:30:00Z'), 3, 10_000)).toEqual(at('2014-01-15T10:30:30Z'));
  });
});

describe('a rule with Expiration', () => {
  const days = [rule('days', { expiration: { days: 3 } })];

  it('expires a current version from the midnight on', () => {
    expect(judge(current(), days, at('2026-01-18T23:59:59.999Z'))).toBeUndefined();
    expect(judge(current(), days, at('2026-01-19T00:00:00Z'))).toEqual({
      action: 'expire',
      ruleId: 'days',
      newerVersions: 0,
    });
  });

  it('leaves noncurrent versions and delete markers over versions alone', () => {
    const late = at('2030-01-01T00:00:00Z');
    expect(
      judge(current({ isCurrent: false, noncurrentSince: at('2026-02-01T00:00:00Z') }), days, late),
    ).toBeUndefined();
    expect(judge(current({ deleteMarker: true, size: 0 }), days, late)).toBeUndefined();
  });

  it('removes a delete marker with nothing under it once that is as old', () => {
    const marker = current({ deleteMarker: true, alone: true, size: 0 });
    expect(judge(marker, days, at('2026-01-18T00:00:00Z'))).toBeUndefined();
    expect(judge(marker, days, at('2026-01-19T00:00:00Z'))?.action).toBe('remove-marker');
  });

  it('goes by its date whatever the age', () => {
    const dated = [rule('date', { expiration: { date: '2026-03-01T00:00:00.000Z' } })];
    expect(judge(current(), dated, at('2026-02-28T23:59:59Z'))).toBeUndefined();
    expect(
      judge(current({ lastModified: at('2026-03-05T00:00:00Z') }), dated, at('2026-03-05T00:01:00Z')),
    ).toMatchObject({ action: 'expire' });
  });

  it('yields to a shorter one', () => {
    const rules = [rule('long', { expiration: { days: 365 } }), rule('short', { expiration: { days: 2 } })];
    expect(expirationOf(current(), rules)).toEqual({ at: at('2026-01-18T00:00:00Z'), ruleId: 'short' });
  });

  it('does nothing while disabled', () => {
    const off = [rule('off', { enabled: false, expiration: { days: 1 } })];
    expect(judge(current(), off, at('2030-01-01T00:00:00Z'))).toBeUndefined();
    expect(expirationOf(current(), off)).toBeUndefined();
  });
});

describe('ExpiredObjectDeleteMarker', () => {
  const rules = [rule('marker', { expiration: { expiredDeleteMarker: true } })];

  it('removes only markers that have nothing under them, at once', () => {
    const now = at('2026-01-15T10:30:01Z');
    expect(judge(current({ deleteMarker: true, alone: true }), rules, now)?.action).toBe('remove-marker');
    expect(judge(current({ deleteMarker: true }), rules, now)).toBeUndefined();
    expect(judge(current(), rules, now)).toBeUndefined();
  });

  it('removes none when it is false', () => {
    const off = [rule('marker', { expiration: { expiredDeleteMarker: false } })];
    expect(judge(current({ deleteMarker: true, alone: true }), off, at('2030-01-01T00:00:00Z'))).toBeUndefined();
  });
});

describe('NoncurrentVersionExpiration', () => {
  const old = current({ isCurrent: false, noncurrentSince: at('2026-02-01T08:00:00Z'), newerNoncurrent: 1 });

  it('counts from when the version stopped being the current one', () => {
    const rules = [rule('old', { noncurrentExpiration: { days: 1 } })];
    expect(judge(old, rules, at('2026-02-02T23:00:00Z'))).toBeUndefined();
    expect(judge(old, rules, at('2026-02-03T00:00:00Z'))?.action).toBe('remove-noncurrent');
    expect(judge(current(), rules, at('2030-01-01T00:00:00Z'))).toBeUndefined();
  });

  it('keeps as many newer ones as it says, and any rule is enough', () => {
    const keep = (count: number) => [rule('old', { noncurrentExpiration: { days: 1, newerVersions: count } })];
    const late = at('2026-03-01T00:00:00Z');
    expect(judge(old, keep(2), late)).toBeUndefined();
    expect(judge(old, keep(1), late)).toEqual({ action: 'remove-noncurrent', ruleId: 'old', newerVersions: 1 });
    expect(judge(old, [...keep(2), rule('any', { noncurrentExpiration: { days: 5 } })], late)?.ruleId).toBe('any');
  });
});

describe('filters', () => {
  const late = at('2030-01-01T00:00:00Z');
  const matches = (
    filter: LifecycleRule['filter'],
    version = current({ tags: { team: 'a', tier: 'cold' } }),
  ): boolean => judge(version, [rule('r', { filter, expiration: { days: 1 } })], late) !== undefined;

  it('compare prefix, size and every tag', () => {
    expect(matches({ prefix: 'logs/' })).toBe(true);
    expect(matches({ prefix: 'log/' })).toBe(false);
    expect(matches({ sizeGreaterThan: 999, sizeLessThan: 1_001 })).toBe(true);
    expect(matches({ sizeGreaterThan: 1_000 })).toBe(false);
    expect(matches({ sizeLessThan: 1_000 })).toBe(false);
    expect(matches({ tags: { team: 'a', tier: 'cold' } })).toBe(true);
    expect(matches({ tags: { team: 'a', tier: 'hot' } })).toBe(false);
    expect(matches({ tags: { team: 'a' } }, current())).toBe(false);
  });
});

describe('AbortIncompleteMultipartUpload', () => {
  it('counts from the beginning of the upload', () => {
    const rules = [rule('abort', { filter: { prefix: 'in/' }, abortUploadsAfterDays: 7 })];
    const initiatedAt = at('2026-01-01T12:00:00Z');
    expect(abortOf({ key: 'in/a', initiatedAt }, rules)).toEqual({ at: at('2026-01-09T00:00:00Z'), ruleId: 'abort' });
    expect(abortOf({ key: 'out/a', initiatedAt }, rules)).toBeUndefined();
  });
});

describe('the ranges of a walk', () => {
  const ranges = keyRanges(
    [
      rule('a', { filter: { prefix: 'logs/2026' }, expiration: { days: 1 } }),
      rule('b', { filter: { prefix: 'logs/' }, expiration: { days: 1 } }),
      rule('c', { filter: { prefix: 'tmp/' }, noncurrentExpiration: { days: 1 } }),
      rule('d', { filter: { prefix: 'off/' }, enabled: false, expiration: { days: 1 } }),
      rule('e', { filter: { prefix: 'up/' }, abortUploadsAfterDays: 1 }),
    ],
    removesObjects,
  );

  it('cover every prefix once', () => {
    expect(ranges).toEqual([
      { from: 'logs/', until: 'logs0' },
      { from: 'tmp/', until: 'tmp0' },
    ]);
  });

  it('are gone through in order', () => {
    expect(rangeAt(ranges, '')?.from).toBe('logs/');
    expect(rangeAt(ranges, 'logs/x')?.from).toBe('logs/');
    expect(rangeAt(ranges, 'logs0')?.from).toBe('tmp/');
    expect(rangeAt(ranges, 'tmp0')).toBeUndefined();
  });
});
