import { Counter } from 'prom-client';
import type { EncryptionMode } from '../crypto/encryption.types';

const storedBytes = new Counter({
  name: 'strongroom_stored_bytes_total',
  help: 'Plaintext bytes stored, by encryption mode and by where they went',
  labelNames: ['mode', 'placement'],
});

const storedBodies = new Counter({
  name: 'strongroom_stored_bodies_total',
  help: 'Objects and parts stored, by encryption mode and by where they went',
  labelNames: ['mode', 'placement'],
});

const removedBlobs = new Counter({
  name: 'strongroom_removed_blobs_total',
  help: 'Blobs removed by the reaper: replaced or deleted ones, orphans of a crash, staged leftovers',
  labelNames: ['reason'],
});

/** Counts a body that has become durable. */
export function countStored(mode: EncryptionMode, placement: 'inline' | 'blob', bytes: number): void {
  storedBodies.inc({ mode, placement });
  storedBytes.inc({ mode, placement }, bytes);
}

/** Counts blobs that the reaper removed. */
export function countRemoved(reason: 'deleted' | 'orphan' | 'staged', count: number): void {
  removedBlobs.inc({ reason }, count);
}
