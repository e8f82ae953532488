import type { Cluster, Worker } from 'node:cluster';
import { AggregatorRegistry } from 'prom-client';
import { isMetricsMessage, type CollectRequest, type MetricsAnswer, type MetricsSnapshot } from './metrics-messages';

/** Milliseconds to wait for the workers' numbers; one that is stuck is left out rather than failing all. */
const COLLECT_TIMEOUT_MS = 2_000;

interface Collection {
  readonly waitingFor: Set<number>;
  readonly snapshots: MetricsSnapshot[];
  readonly finish: () => void;
}

/** The part of node's cluster module that is used, so that a test can stand in for it. */
export type ClusterLike = Pick<Cluster, 'workers'> & {
  on(event: 'message', listener: (worker: Worker, message: unknown) => void): unknown;
  on(event: 'exit', listener: (worker: Worker) => void): unknown;
};

/**
 * Answers, in the primary, the workers' questions for the metrics of all workers. A scrape reaches one worker, which asks
 * here; the primary collects from every connected worker and returns one summed text.
 */
export function serveClusterMetrics(cluster: ClusterLike): void {
  const collections = new Map<number, Collection>();
  let lastId = 0;

  cluster.on('message', (worker, message) => {
    if (isMetricsMessage(message, 'strongroom:metrics')) {
      void collect().then(
        (text) => answer(worker, { type: 'strongroom:metrics:answer', id: message.id, text }),
        () => answer(worker, { type: 'strongroom:metrics:answer', id: message.id, text: undefined }),
      );
    } else if (isMetricsMessage(message, 'strongroom:metrics:collected')) {
      const collection = collections.get(message.id);
      if (collection?.waitingFor.has(worker.id)) {
        collection.snapshots.push(message.metrics);
        release(collection, worker.id);
      }
    }
  });
  cluster.on('exit', (worker) => {
    for (const collection of collections.values()) release(collection, worker.id);
  });

  async function collect(): Promise<string> {
    const id = ++lastId;
    const workers = Object.values(cluster.workers ?? {}).filter((worker) => worker?.isConnected() === true) as Worker[];
    const snapshots: MetricsSnapshot[] = [];
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, COLLECT_TIMEOUT_MS);
      const finish = () => {
        clearTimeout(timer);
        resolve();
      };
      collections.set(id, { waitingFor: new Set(workers.map((worker) => worker.id)), snapshots, finish });
      for (const worker of workers) answer(worker, { type: 'strongroom:metrics:collect', id });
      if (workers.length === 0) finish();
    });
    collections.delete(id);
    return AggregatorRegistry.aggregate(snapshots).metrics();
  }
}

function release(collection: Collection, workerId: number): void {
  collection.waitingFor.delete(workerId);
  if (collection.waitingFor.size === 0) collection.finish();
}

function answer(worker: Worker, message: MetricsAnswer | CollectRequest): void {
  // A worker that went away meanwhile needs no answer; without a callback the failure would be an 'error' event.
  if (worker.isConnected()) worker.send(message, () => undefined);
}
