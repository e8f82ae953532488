import { collectDefaultMetrics, Gauge, register } from 'prom-client';

/** The part of a pg pool that the gauges read. */
export interface PoolCounts {
  readonly totalCount: number;
  readonly idleCount: number;
  readonly waitingCount: number;
}

let pool: PoolCounts | undefined;

new Gauge({
  name: 'strongroom_database_connections',
  help: 'Database connections of the pool, by state, and requests waiting for one',
  labelNames: ['state'],
  collect() {
    this.set({ state: 'idle' }, pool?.idleCount ?? 0);
    this.set({ state: 'busy' }, pool === undefined ? 0 : pool.totalCount - pool.idleCount);
    this.set({ state: 'waiting' }, pool?.waitingCount ?? 0);
  },
});

/** Starts the process metrics (CPU, memory, event-loop lag, garbage collection) and points the pool gauges at a pool. */
export function collectProcessMetrics(databasePool: PoolCounts): void {
  pool = databasePool;
  if (register.getSingleMetric('process_cpu_user_seconds_total') === undefined) {
    collectDefaultMetrics({ eventLoopMonitoringPrecision: 20 });
  }
}

/** Ends what {@link collectProcessMetrics} began, so that a closed pool is not asked any more. */
export function stopProcessMetrics(databasePool: PoolCounts): void {
  if (pool === databasePool) pool = undefined;
}
