/** Calls of the admin API as the root user, for the demonstrations. */
import { setTimeout as delay } from 'node:timers/promises';
import { ACCESS_KEY, SECRET_KEY } from './store.mjs';

const ATTEMPTS = 5;
const AUTHORIZATION = `Basic ${Buffer.from(`${ACCESS_KEY}:${SECRET_KEY}`).toString('base64')}`;

/**
 * @param {{endpoint: string}} store
 * @returns {(method: string, path: string, body?: unknown) => Promise<any>} rejects unless the answer is a success; a GET
 *   is tried again when the worker that it was sent to dies
 */
export function adminClient({ endpoint }) {
  return async (method, path, body) => {
    const response = await send(`${endpoint}${path}`, method, body);
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    return text === '' ? {} : JSON.parse(text);
  };
}

async function send(url, method, body) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await fetch(url, {
        method,
        headers: { authorization: AUTHORIZATION, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (error) {
      if (method !== 'GET' || attempt === ATTEMPTS) throw error;
      await delay(100);
    }
  }
}
