import { DatabaseError } from 'pg';
import { DomainError } from '../common/domain-error';
import { storageFull } from '../common/storage-full';

/** Classes and codes of SQLSTATE that say that the server does not serve now, for anybody. */
const AWAY_STATES = /^(08...|53300|57P0[123])$/;
const DISK_FULL = '53100';
/** What pg itself says, without any code, of connections that it lost or never got. */
const LOST_CONNECTION =
  /^(Connection terminated|Client has encountered a connection error|Query read timeout|timeout exceeded when trying to connect)/;

/**
 * Tells failures of the database server from failures of statements.
 *
 * @param error what the pg driver threw
 * @returns DomainError `database-unavailable` when the server cannot be reached or is stopping, `storage-full` when it has
 *   no space left, or the error as it is
 */
export function databaseFailure(error: unknown): unknown {
  if (error instanceof DatabaseError && error.code === DISK_FULL) {
    return storageFull(error);
  }
  return isAway(error)
    ? new DomainError('database-unavailable', 'The database cannot be reached at the moment', {
        cause: error,
        retryable: true,
        remedy: 'See that the Postgres server runs and takes connections.',
      })
    : error;
}

function isAway(error: unknown): boolean {
  if (error instanceof DatabaseError) {
    return AWAY_STATES.test(error.code ?? '');
  }
  return error instanceof Error && ('syscall' in error || LOST_CONNECTION.test(error.message));
}
