import { Counter, Gauge } from 'prom-client';

const rewrapped = new Counter({
  name: 'strongroom_rewrap_keys_total',
  help: 'Object keys that rewrap jobs took on: sealed anew, changed by somebody else meanwhile, or failed',
  labelNames: ['outcome'] as const,
});

const rewrappedBytes = new Counter({
  name: 'strongroom_rewrap_bytes_total',
  help: 'Plaintext bytes of the objects whose keys were sealed anew; none of them was read',
});

const ways = new Counter({
  name: 'strongroom_rewrap_ways_total',
  help: 'Object keys sealed anew, by where their data key was: it stayed inside the KMS, or it came into the process',
  labelNames: ['way'] as const,
});

const batches = new Gauge({
  name: 'strongroom_rewrap_batches_in_flight',
  help: 'Batches of rewrap jobs under way',
});

const stalls = new Counter({
  name: 'strongroom_rewrap_stalls_total',
  help: 'Times that a rewrap job waited for a KMS to answer again',
});

/** Counts what became of one batch. */
export function countBatch(outcome: {
  rewrapped: number;
  insideKms: number;
  changed: number;
  failed: number;
  bytes: number;
}): void {
  ways.inc({ way: 'kms' }, outcome.insideKms);
  ways.inc({ way: 'process' }, outcome.rewrapped - outcome.insideKms);
  rewrapped.inc({ outcome: 'rewrapped' }, outcome.rewrapped);
  rewrapped.inc({ outcome: 'changed' }, outcome.changed);
  rewrapped.inc({ outcome: 'failed' }, outcome.failed);
  rewrappedBytes.inc(outcome.bytes);
}

/** Counts a batch as under way until the returned function is called. */
export function batchUnderWay(): () => void {
  batches.inc();
  return () => batches.dec();
}

/** Counts a wait for a KMS. */
export function countStall(): void {
  stalls.inc();
}
