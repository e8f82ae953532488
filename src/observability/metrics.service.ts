import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { register } from 'prom-client';
import { Database } from '../database/database';
import { isMetricsMessage, type CollectAnswer, type MetricsRequest } from './metrics-messages';
import { collectProcessMetrics, stopProcessMetrics, type PoolCounts } from './process.metrics';
import { trackRequestsInFlight } from './request.metrics';

/** Milliseconds to wait for the primary before this process answers with its own numbers. */
const PRIMARY_TIMEOUT_MS = 3_000;

/** The metrics of the whole server: of all workers through the primary, or of this process where it stands alone. */
@Injectable()
export class MetricsService implements OnModuleInit, OnApplicationShutdown {
  private readonly questions = new Map<number, (text: string | undefined) => void>();
  private readonly onMessage = (message: unknown): void => this.receive(message);
  private pool: PoolCounts | undefined;
  private stopTracking: (() => void) | undefined;
  private lastId = 0;

  constructor(private readonly database: Database) {}

  onModuleInit(): void {
    this.pool = this.database.pool;
    collectProcessMetrics(this.pool);
    this.stopTracking = trackRequestsInFlight();
    if (process.send !== undefined) process.on('message', this.onMessage);
  }

  onApplicationShutdown(): void {
    this.stopTracking?.();
    process.off('message', this.onMessage);
    if (this.pool !== undefined) stopProcessMetrics(this.pool);
  }

  get contentType(): string {
    return register.contentType;
  }

  /** Returns the metrics in Prometheus' text format. */
  async text(): Promise<string> {
    const all = process.connected ? await this.askPrimary() : undefined;
    return all ?? register.metrics();
  }

  private askPrimary(): Promise<string | undefined> {
    const id = ++this.lastId;
    return new Promise((resolve) => {
      const settle = (text: string | undefined) => {
        clearTimeout(timer);
        this.questions.delete(id);
        resolve(text);
      };
      const timer = setTimeout(() => settle(undefined), PRIMARY_TIMEOUT_MS);
      this.questions.set(id, settle);
      const request: MetricsRequest = { type: 'strongroom:metrics', id };
      process.send?.(request, undefined, undefined, (error) => {
        if (error !== null) settle(undefined);
      });
    });
  }

  private receive(message: unknown): void {
    if (isMetricsMessage(message, 'strongroom:metrics:answer')) {
      this.questions.get(message.id)?.(message.text === '' ? undefined : message.text);
    } else if (isMetricsMessage(message, 'strongroom:metrics:collect')) {
      void register.getMetricsAsJSON().then((metrics) => {
        const answer: CollectAnswer = { type: 'strongroom:metrics:collected', id: message.id, metrics };
        process.send?.(answer, undefined, undefined, () => undefined);
      });
    }
  }
}
