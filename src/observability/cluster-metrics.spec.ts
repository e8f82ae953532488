import { EventEmitter } from 'node:events';
import type { Worker } from 'node:cluster';
import { Counter, Registry } from 'prom-client';
import { serveClusterMetrics } from './cluster-metrics';
import type { MetricsMessage, MetricsSnapshot } from './metrics-messages';

class FakeWorker {
  readonly received: MetricsMessage[] = [];
  connected = true;
  onSend: (message: MetricsMessage) => void = () => undefined;

  constructor(readonly id: number) {}

  isConnected(): boolean {
    return this.connected;
  }

  send(message: MetricsMessage): boolean {
    this.received.push(message);
    this.onSend(message);
    return true;
  }
}

class FakeCluster extends EventEmitter {
  workers: Record<number, Worker> = {};

  add(worker: FakeWorker): FakeWorker {
    this.workers[worker.id] = worker as unknown as Worker;
    return worker;
  }
}

async function snapshotOf(count: number): Promise<MetricsSnapshot> {
  const registry = new Registry();
  new Counter({ name: 'things_total', help: 'things', registers: [registry] }).inc(count);
  return registry.getMetricsAsJSON();
}

/** Lets everything that is already settled run. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('serveClusterMetrics', () => {
  async function start() {
    const cluster = new FakeCluster();
    const [one, two] = [cluster.add(new FakeWorker(1)), cluster.add(new FakeWorker(2))];
    const snapshots: Record<number, MetricsSnapshot> = { 1: await snapshotOf(3), 2: await snapshotOf(4) };
    for (const worker of [one, two]) {
      worker.onSend = (message) => {
        if (message.type === 'strongroom:metrics:collect') {
          const metrics = snapshots[worker.id];
          cluster.emit('message', worker, { type: 'strongroom:metrics:collected', id: message.id, metrics });
        }
      };
    }
    serveClusterMetrics(cluster);
    return { cluster, one, two };
  }

  it('sums what all workers counted and answers only the one that asked', async () => {
    const { cluster, one, two } = await start();
    cluster.emit('message', one, { type: 'strongroom:metrics', id: 9 });
    await settle();
    expect(one.received.at(-1)).toMatchObject({ type: 'strongroom:metrics:answer', id: 9 });
    expect((one.received.at(-1) as { text: string }).text).toContain('things_total 7');
    expect(two.received.map((message) => message.type)).toEqual(['strongroom:metrics:collect']);
  });

  it('does not wait for a worker that dies meanwhile', async () => {
    const { cluster, one, two } = await start();
    two.onSend = () => undefined;
    cluster.emit('message', one, { type: 'strongroom:metrics', id: 1 });
    cluster.emit('exit', two);
    await settle();
    expect((one.received.at(-1) as { text: string }).text).toContain('things_total 3');
  });

  it('leaves out a worker that is stuck', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate'] });
    try {
      const { cluster, one, two } = await start();
      two.onSend = () => undefined;
      cluster.emit('message', one, { type: 'strongroom:metrics', id: 1 });
      await jest.advanceTimersByTimeAsync(2_000);
      await settle();
      expect((one.received.at(-1) as { text: string }).text).toContain('things_total 3');
    } finally {
      jest.useRealTimers();
    }
  });

  it('ignores other messages', async () => {
    const { cluster, one } = await start();
    cluster.emit('message', one, { type: 'ready' });
    cluster.emit('message', one, 'text');
    cluster.emit('message', one, null);
    await settle();
    expect(one.received).toEqual([]);
  });
});
