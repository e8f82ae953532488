import { Counter, Gauge, Histogram } from 'prom-client';

/** Provider calls as the data path sees them, retries included. Labels are fixed enumerations, never key ids. */
export const kmsOperations = new Counter({
  name: 'strongroom_kms_operations_total',
  help: 'KMS operations by provider type, operation and outcome',
  labelNames: ['provider', 'operation', 'outcome'] as const,
});

export const kmsOperationSeconds = new Histogram({
  name: 'strongroom_kms_operation_duration_seconds',
  help: 'Duration of KMS operations, retries included',
  labelNames: ['provider', 'operation'] as const,
  buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
});

export const kmsAttemptFailures = new Counter({
  name: 'strongroom_kms_attempt_failures_total',
  help: 'Failed attempts at KMS calls by provider type, operation and error kind',
  labelNames: ['provider', 'operation', 'error'] as const,
});

export const kmsInFlight = new Gauge({
  name: 'strongroom_kms_in_flight',
  help: 'KMS calls under way',
  labelNames: ['provider'] as const,
});

export const kmsTargetOnline = new Gauge({
  name: 'strongroom_kms_online',
  help: '1 while the KMS target answers',
  aggregator: 'min',
  labelNames: ['provider', 'target'] as const,
});

export const kmsCircuitOpen = new Gauge({
  name: 'strongroom_kms_circuit_open',
  help: '1 while the circuit breaker of the KMS target is not closed',
  aggregator: 'max',
  labelNames: ['provider', 'target'] as const,
});

export const dataKeyCacheLookups = new Counter({
  name: 'strongroom_kms_data_key_cache_lookups_total',
  help: 'Lookups in the cache of unwrapped data keys',
  labelNames: ['result'] as const,
});

export const dataKeyCacheEntries = new Gauge({
  name: 'strongroom_kms_data_key_cache_entries',
  help: 'Unwrapped data keys held in memory',
});

export const dataKeyCacheEvictions = new Counter({
  name: 'strongroom_kms_data_key_cache_evictions_total',
  help: 'Unwrapped data keys that left the cache: because their time was over, for want of room, or because their key changed',
  labelNames: ['cause'] as const,
});

export const kmsProbeRounds = new Counter({
  name: 'strongroom_kms_probe_rounds_total',
  help: 'Rounds of generating and unwrapping a data key for the sake of it, by target and result',
  labelNames: ['provider', 'target', 'result'] as const,
});

export const kmsProbeSeconds = new Histogram({
  name: 'strongroom_kms_probe_duration_seconds',
  help: 'Duration of probing rounds, retries included',
  labelNames: ['provider'] as const,
  buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30],
});

export const kmsProbeLastSuccess = new Gauge({
  name: 'strongroom_kms_probe_last_success_timestamp_seconds',
  help: 'When the last probing round succeeded, of all workers the one that waits longest',
  aggregator: 'min',
  labelNames: ['provider', 'target'] as const,
});

export const kmsProbeConsecutiveFailures = new Gauge({
  name: 'strongroom_kms_probe_consecutive_failures',
  help: 'Probing rounds failed in a row, of all workers the worst',
  aggregator: 'max',
  labelNames: ['provider', 'target'] as const,
});

export const kmsTokenExpiry = new Gauge({
  name: 'strongroom_kms_token_expiry_timestamp_seconds',
  help: 'When the credentials for the KMS expire unless they are renewed; absent for those that do not',
  aggregator: 'min',
  labelNames: ['provider', 'target'] as const,
});

/** Forgets what the gauges say of a target that is no more, so that nobody is alarmed by it. */
export function forgetTarget(provider: string, target: string): void {
  const gauges = [kmsTargetOnline, kmsCircuitOpen, kmsProbeLastSuccess, kmsProbeConsecutiveFailures, kmsTokenExpiry];
  gauges.forEach((gauge) => gauge.remove({ provider, target }));
}
