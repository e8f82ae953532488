import { once } from 'node:events';
import { lookup } from 'node:dns/promises';
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { TestReport } from '../config/subsystem';
import { loadTlsMaterial } from '../kms/providers/tls-material';
import { StepFailure, StepRecorder } from '../kms/step-recorder';
import { WEBHOOK_SUBSYSTEM, type WebhookSettings } from './webhook-settings';

const CONNECT_TIMEOUT_MS = 5_000;

/** Finds out whether a webhook can be reached, without sending it a message. Never rejects. */
export async function testWebhook(target: string, { endpoint, tls }: WebhookSettings): Promise<TestReport> {
  const name = `${WEBHOOK_SUBSYSTEM}:${target}`;
  const url = new URL(endpoint);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80));
  const recorder = new StepRecorder();
  await recorder.run('dns', async () => {
    try {
      const { address } = await lookup(host);
      return `${host} is ${address}`;
    } catch (error) {
      throw new StepFailure(
        `${name}: ${host} cannot be resolved (${codeOf(error)})`,
        'Correct the host name in endpoint, or the DNS of this machine.',
      );
    }
  });
  await recorder.run('tcp', async () => {
    await reach(name, `${host} port ${port}`, connect({ host, port }), 'connect');
    return `Connected to ${host} port ${port}`;
  });
  await recorder.run('tls', async () => {
    if (url.protocol === 'http:') {
      return { outcome: 'skipped', detail: 'endpoint is http: messages and the token travel unencrypted' };
    }
    const material = await loadTlsMaterial(name, tls);
    const socket = connectTls({ host, port, ...material, servername: isIP(host) === 0 ? host : undefined });
    await reach(name, `${host} port ${port} by TLS`, socket, 'secureConnect');
    return 'The certificate is accepted';
  });
  return recorder.report();
}

async function reach(name: string, place: string, socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  try {
    await once(socket, event, { signal: AbortSignal.timeout(CONNECT_TIMEOUT_MS) });
  } catch (error) {
    throw new StepFailure(
      `${name}: no connection to ${place} (${codeOf(error)})`,
      'Check that the receiver is running, that endpoint is right, and that its certificate is of an authority in ca_file.',
    );
  } finally {
    socket.on('error', () => undefined).destroy();
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'failed';
}
