import type { ServerResponse } from 'node:http';

const PAUSE_MS = 25;

/** Begins a good answer and goes on, a byte at a time, without ever coming to its end. */
export function drip(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  const timer = setInterval(() => response.write(' '), PAUSE_MS);
  response.once('close', () => clearInterval(timer));
}
