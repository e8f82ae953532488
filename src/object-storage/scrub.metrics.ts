import { Counter } from 'prom-client';
import type { DamageReason } from './scrub.repository';

const blobs = new Counter({
  name: 'strongroom_scrub_blobs_total',
  help: 'Blobs whose stored bytes were verified, by what was found',
  labelNames: ['outcome'] as const,
});

const bytes = new Counter({
  name: 'strongroom_scrub_bytes_total',
  help: 'Stored bytes that were verified',
});

/** Counts one verified blob. */
export function countScrubbed(outcome: 'sound' | DamageReason, size: number): void {
  blobs.inc({ outcome });
  bytes.inc(size);
}
