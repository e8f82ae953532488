import { kmsInFlight, kmsOperations, kmsOperationSeconds } from '../kms/kms.metrics';
import type { KmsMetricsDto } from './kms.dto';
import { programState } from './minio/program-state';

const NANOSECONDS = 1_000_000_000;

/** Outcomes that are the caller's doing; all others but `success` are failures of the KMS. */
const CALLER_ERRORS = /not-found|exists|disabled|pending|invalid|denied|unsupported/;

/** KMS calls of this process in MinIO's shape. */
export async function readKmsMetrics(): Promise<KmsMetricsDto> {
  const counts = { success: 0, error: 0, failure: 0 };
  for (const { labels, value } of (await kmsOperations.get()).values) {
    const outcome = String(labels.outcome);
    counts[outcome === 'success' ? 'success' : CALLER_ERRORS.test(outcome) ? 'error' : 'failure'] += value;
  }
  const buckets: Record<string, number> = {};
  for (const { metricName, labels, value } of (await kmsOperationSeconds.get()).values) {
    const bound = Number((labels as { le?: number | string }).le);
    if (metricName?.endsWith('_bucket') === true && Number.isFinite(bound)) {
      const nanoseconds = String(Math.round(bound * NANOSECONDS));
      buckets[nanoseconds] = (buckets[nanoseconds] ?? 0) + value;
    }
  }
  const { UpTime, CPUs, UsableCPUs, HeapAlloc } = programState('unknown');
  return {
    kms_req_success: counts.success,
    kms_req_error: counts.error,
    kms_req_failure: counts.failure,
    kms_resp_time: buckets,
    kes_http_request_success: counts.success,
    kes_http_request_error: counts.error,
    kes_http_request_failure: counts.failure,
    kes_http_request_active: (await kmsInFlight.get()).values.reduce((sum, { value }) => sum + value, 0),
    kes_http_response_time: buckets,
    kes_system_up_time: UpTime,
    kes_system_num_cpu: CPUs,
    kes_system_num_cpu_used: UsableCPUs,
    kes_system_mem_heap_used: HeapAlloc,
  };
}
