import type { Database } from '../database/database';
import type { Statement } from '../database/statement';
import type { KmsTargetStatus } from '../kms/kms-target';
import type { KmsService } from '../kms/kms.service';
import type { BlobStore } from '../object-storage/blob-store';
import type { ComponentState, ReadinessCheck } from './readiness.service';

const PING: Statement = { name: 'health.ping', text: 'SELECT 1' };

/** The database answers a query through the pool. */
export function databaseCheck(database: Database): ReadinessCheck {
  return {
    name: 'database',
    critical: true,
    run: async () => {
      await database.query(PING);
      return undefined;
    },
  };
}

/** Blobs can be written and read. */
export function blobStoreCheck(blobs: BlobStore): ReadinessCheck {
  return {
    name: 'blobStore',
    critical: true,
    run: async () => {
      await blobs.probe();
      return undefined;
    },
  };
}

/**
 * Every key management system in use, by name, as this process last saw it; asks none, so that probes cannot wear out a
 * Vault. The proof of its default key decides while it is fresh, else the last call; one that has not been called yet
 * counts as up.
 */
export function kmsCheck(kms: Pick<KmsService, 'status'>): ReadinessCheck {
  return {
    name: 'kms',
    critical: false,
    run: async () => {
      const states = kms.status().map((target): [string, ComponentState] => [
        `kms ${target.kms}`,
        // The last error may name addresses; the admin API tells it to those who may know.
        isDown(target) ? { status: 'down', reason: 'does not answer' } : { status: 'up' },
      ]);
      return Object.fromEntries(states);
    },
  };
}

function isDown({ probe, health }: KmsTargetStatus): boolean {
  return probe === undefined || probe.state === 'unknown' ? health === 'offline' : probe.state === 'failing';
}
