import type { MetricObjectWithValues, MetricValue } from 'prom-client';

/** What one worker's registry holds, as prom-client's getMetricsAsJSON gives it. */
export type MetricsSnapshot = MetricObjectWithValues<MetricValue<string>>[];

/** Worker to primary: somebody asked this worker for the metrics of all. */
export interface MetricsRequest {
  readonly type: 'strongroom:metrics';
  readonly id: number;
}

/** Primary to worker: the text of all, or nothing when it could not be put together. */
export interface MetricsAnswer {
  readonly type: 'strongroom:metrics:answer';
  readonly id: number;
  readonly text: string | undefined;
}

/** Primary to each worker: send your numbers. */
export interface CollectRequest {
  readonly type: 'strongroom:metrics:collect';
  readonly id: number;
}

/** Worker to primary: my numbers. */
export interface CollectAnswer {
  readonly type: 'strongroom:metrics:collected';
  readonly id: number;
  readonly metrics: MetricsSnapshot;
}

export type MetricsMessage = MetricsRequest | MetricsAnswer | CollectRequest | CollectAnswer;

/** Recognises one kind of message among everything else that travels between primary and workers. */
export function isMetricsMessage<T extends MetricsMessage['type']>(
  message: unknown,
  type: T,
): message is Extract<MetricsMessage, { type: T }> {
  return typeof message === 'object' && message !== null && 'type' in message && message.type === type;
}
