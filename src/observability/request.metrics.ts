import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ServerResponse } from 'node:http';
import { Counter, Gauge, Histogram } from 'prom-client';

export const requestsTotal = new Counter({
  name: 'strongroom_requests_total',
  help: 'Requests answered, by operation and HTTP status',
  labelNames: ['operation', 'status'],
});

export const requestDuration = new Histogram({
  name: 'strongroom_request_duration_seconds',
  help: 'Time from the first byte of a request to the end of its answer',
  labelNames: ['operation'],
  buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120],
});

export const receivedBytes = new Counter({
  name: 'strongroom_received_bytes_total',
  help: 'Request body bytes read',
});

export const sentBytes = new Counter({
  name: 'strongroom_sent_bytes_total',
  help: 'Answer body bytes written',
});

const requestsInFlight = new Gauge({
  name: 'strongroom_requests_in_flight',
  help: 'Requests being worked on, of every kind',
});

/** Node's own announcement of a request, made before any listener of the server runs. */
const REQUEST_START = 'http.server.request.start';

/** Counts requests from their arrival until their answer has ended or broken off, whichever handler serves them. */
export function trackRequestsInFlight(): () => void {
  const onStart = (message: unknown): void => {
    requestsInFlight.inc();
    (message as { response: ServerResponse }).response.once('close', () => requestsInFlight.dec());
  };
  subscribe(REQUEST_START, onStart);
  return () => unsubscribe(REQUEST_START, onStart);
}
