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
