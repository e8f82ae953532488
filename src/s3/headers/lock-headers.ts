import type { IncomingHttpHeaders } from 'node:http';
import type { ObjectLock, RetentionMode } from '../../object-storage/object-storage.types';
import { invalidArgument, S3Error } from '../s3-error';
import { headerOf } from './header-values';

const MODE = 'x-amz-object-lock-mode';
const UNTIL = 'x-amz-object-lock-retain-until-date';
const HOLD = 'x-amz-object-lock-legal-hold';
const BYPASS = 'x-amz-bypass-governance-retention';
const MODES: readonly string[] = ['GOVERNANCE', 'COMPLIANCE'] satisfies RetentionMode[];

/** Whether a text is a retention mode. */
export function isRetentionMode(text: string): text is RetentionMode {
  return MODES.includes(text);
}

/**
 * The lock a write asks for by its headers.
 * @throws S3Error InvalidArgument
 */
export function lockOf(headers: IncomingHttpHeaders): ObjectLock | undefined {
  const mode = headerOf(headers, MODE);
  const until = headerOf(headers, UNTIL);
  const hold = headerOf(headers, HOLD);
  if (mode === undefined && until === undefined && hold === undefined) {
    return undefined;
  }
  if ((mode === undefined) !== (until === undefined)) {
    throw invalidArgument(`${UNTIL} and ${MODE} must both be supplied`, mode === undefined ? MODE : UNTIL);
  }
  if (mode !== undefined && !isRetentionMode(mode)) {
    throw invalidArgument('Unknown wormMode directive.', MODE, mode);
  }
  if (hold !== undefined && hold !== 'ON' && hold !== 'OFF') {
    throw invalidArgument("Legal Hold must be either of 'ON' or 'OFF'", HOLD, hold);
  }
  return {
    ...(mode === undefined ? {} : { mode, until: futureDate(until ?? '', UNTIL) }),
    ...(hold === undefined ? {} : { legalHold: hold === 'ON' }),
  };
}

/**
 * A retain-until date as ISO 8601.
 * @param argument what errors call it by
 * @throws S3Error InvalidArgument when it is no date, or not in the future
 */
export function futureDate(text: string, argument: string): string {
  const date = /^\d{4}-\d{2}-\d{2}T/.test(text) ? new Date(text) : new Date(Number.NaN);
  if (Number.isNaN(date.getTime())) {
    throw invalidArgument('The retain until date must be provided in ISO 8601 format', argument, text);
  }
  if (date.getTime() <= Date.now()) {
    throw invalidArgument('The retain until date must be in the future!', argument, text);
  }
  return date.toISOString();
}

/** Headers that tell of a version's lock. */
export function lockHeaders(lock: ObjectLock | undefined): Record<string, string> {
  if (lock === undefined) {
    return {};
  }
  return {
    ...(lock.mode === undefined || lock.until === undefined ? {} : { [MODE]: lock.mode, [UNTIL]: lock.until }),
    ...(lock.legalHold === undefined ? {} : { [HOLD]: lock.legalHold ? 'ON' : 'OFF' }),
  };
}

/** Whether the caller speaks of governance retention that is to yield, or not to. */
export function mentionsBypass(headers: IncomingHttpHeaders): boolean {
  return headers[BYPASS] !== undefined;
}

/** The refusal of such a header where there is nothing to bypass. */
export function bypassOutOfPlace(): S3Error {
  return invalidArgument(`${BYPASS} is only applicable to Object Lock enabled buckets.`, BYPASS);
}

/** Whether the caller asks that governance retention yield. */
export function wantsBypass(headers: IncomingHttpHeaders): boolean {
  const value = headerOf(headers, BYPASS)?.toLowerCase();
  if (value !== undefined && value !== 'true' && value !== 'false') {
    throw new S3Error('InvalidArgument', `${BYPASS} must be true or false`);
  }
  return value === 'true';
}
