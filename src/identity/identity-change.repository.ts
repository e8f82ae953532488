import { Injectable } from '@nestjs/common';
import { QueryFailedError, type EntityManager } from 'typeorm';
import { Database } from '../database/database';
import { IdentityError } from './identity-error';
import { IDENTITY_CHANNEL, IdentityService } from './identity.service';

const UNIQUE_VIOLATION = '23505';
/** foreign_key_violation, and restrict_violation that Postgres 18 answers for ON DELETE RESTRICT. */
const REFERENCE_VIOLATIONS: readonly unknown[] = ['23503', '23001'];

/** Reads and changes the identity tables; every change is announced to all processes when it commits. */
@Injectable()
export class IdentityChangeRepository {
  constructor(
    private readonly database: Database,
    private readonly identity: IdentityService,
  ) {}

  /** For reading outside a change. */
  get manager(): EntityManager {
    return this.database.dataSource.manager;
  }

  /**
   * Runs a change in one transaction.
   *
   * @param subject what is changed, for the messages of conflicts
   * @throws IdentityError `EntityAlreadyExists` or `DeleteConflict` where a constraint of the schema refuses the change
   */
  async change<T>(subject: string, work: (manager: EntityManager) => Promise<T>): Promise<T> {
    try {
      return await this.database.dataSource.transaction(async (manager) => {
        const result = await work(manager);
        await manager.query('SELECT pg_notify($1, $2)', [IDENTITY_CHANNEL, '']);
        return result;
      });
    } catch (error) {
      throw translate(error, subject);
    } finally {
      this.identity.invalidate();
    }
  }
}

function translate(error: unknown, subject: string): unknown {
  if (!(error instanceof QueryFailedError)) {
    return error;
  }
  const code: unknown = (error.driverError as { code?: unknown }).code;
  if (code === UNIQUE_VIOLATION) {
    return new IdentityError('EntityAlreadyExists', `${subject} exists already`);
  }
  if (REFERENCE_VIOLATIONS.includes(code)) {
    return new IdentityError('DeleteConflict', `${subject} is still attached, or what it refers to was just deleted`);
  }
  return error;
}
