import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually';
import { testCertificate } from './test-certificate';

type Json = Readonly<Record<string, unknown>>;

interface RaftMembers {
  readonly servers: readonly { readonly voter: boolean }[];
}

interface Node {
  readonly name: string;
  readonly url: string;
  readonly process: ChildProcess;
}

/** A real OpenBao: three nodes on the loopback that replicate by Raft, with TLS, initialized and unsealed. */
export interface OpenBaoCluster {
  /** Addresses of the nodes, separated by commas. */
  readonly endpoint: string;
  /** The certificate of the nodes, PEM, which is its own authority. */
  readonly certificate: { readonly cert: string; readonly key: string };
  readonly rootToken: string;
  /** A directory for files of the test. */
  readonly directory: string;
  /** A request to whichever node answers. @throws Error unless it succeeds */
  ask(method: string, path: string, body?: Json, headers?: Readonly<Record<string, string>>): Promise<Json>;
  /** Kills the active node without warning. @returns its address */
  killActive(): Promise<string>;
  close(): Promise<void>;
}

/** @param binary path of the program `bao` */
export async function startOpenBaoCluster(binary: string): Promise<OpenBaoCluster> {
  const certificate = await testCertificate();
  const directory = mkdtempSync(join(tmpdir(), 'strongroom-openbao-'));
  writeFileSync(join(directory, 'cert.pem'), certificate.cert);
  writeFileSync(join(directory, 'key.pem'), certificate.key);
  const ports = await freePorts(6);
  const urls = ports.slice(0, 3).map((port) => `https://127.0.0.1:${port}`);
  const nodes = urls.map((url, index) =>
    startNode({ binary, directory, urls, url, clusterPort: ports[3 + index] ?? 0 }),
  );
  let living: readonly Node[] = nodes;
  let rootToken = '';
  const send = (url: string, method: string, path: string, body?: Json, headers = {}): Promise<Json> =>
    call(`${url}/v1/${path}`, certificate.cert, { method, headers: { 'x-vault-token': rootToken, ...headers } }, body);
  const ask = async (method: string, path: string, body?: Json, headers = {}): Promise<Json> => {
    let failure: unknown;
    for (const { url } of living) {
      try {
        return await send(url, method, path, body, headers);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  };
  const [first = ''] = urls;
  await eventually(() => send(first, 'GET', 'sys/seal-status').then(() => undefined));
  const made = await send(first, 'PUT', 'sys/init', { secret_shares: 1, secret_threshold: 1 });
  rootToken = String(made['root_token']);
  const [key] = made['keys'] as string[];
  for (const url of urls) {
    if (url !== first) {
      await eventually(() => send(url, 'GET', 'sys/seal-status').then(() => undefined));
      await send(url, 'PUT', 'sys/storage/raft/join', { leader_api_addr: first, leader_ca_cert: certificate.cert });
    }
    await send(url, 'PUT', 'sys/unseal', { key });
    await eventually(() => expectStatus(send(url, 'GET', 'sys/seal-status'), 'sealed', false));
    await eventually(() => expectStatus(send(url, 'GET', 'sys/leader'), 'leader_address', first));
  }
  await send(first, 'POST', 'sys/storage/raft/autopilot/configuration', { server_stabilization_time: '1s' });
  await eventually(async () => {
    const { data } = (await send(first, 'GET', 'sys/storage/raft/configuration')) as { data: { config: RaftMembers } };
    expect(data.config.servers.map(({ voter }) => voter)).toEqual([true, true, true]);
  });
  return {
    endpoint: urls.join(','),
    certificate,
    rootToken,
    directory,
    ask,
    killActive: async () => {
      const { leader_address: active } = await ask('GET', 'sys/leader');
      const node = living.find(({ url }) => url === active);
      if (!node) {
        throw new Error(`No node is at ${String(active)}`);
      }
      living = living.filter((each) => each !== node);
      await kill(node);
      return node.url;
    },
    close: async () => {
      await Promise.all(living.map(kill));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function startNode(options: {
  readonly binary: string;
  readonly directory: string;
  readonly urls: readonly string[];
  readonly url: string;
  readonly clusterPort: number;
}): Node {
  const { binary, directory, urls, url, clusterPort } = options;
  const name = `node-${urls.indexOf(url)}`;
  mkdirSync(join(directory, name));
  const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
  const clusterAddress = `127.0.0.1:${clusterPort}`;
  const configuration = {
    storage: {
      raft: {
        path: join(directory, name),
        node_id: name,
        performance_multiplier: '1',
      },
    },
    listener: {
      tcp: { address: new URL(url).host, cluster_address: clusterAddress, tls_cert_file: cert, tls_key_file: key },
    },
    api_addr: url,
    cluster_addr: `https://${clusterAddress}`,
  };
  const file = join(directory, `${name}.json`);
  writeFileSync(file, JSON.stringify(configuration));
  return { name, url, process: spawn(binary, ['server', `-config=${file}`], { stdio: 'ignore' }) };
}

async function kill({ process }: Node): Promise<void> {
  const exit = once(process, 'exit');
  process.kill('SIGKILL');
  await exit;
}

async function expectStatus(answer: Promise<Json>, member: string, value: unknown): Promise<void> {
  expect(await answer).toMatchObject({ [member]: value });
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

function call(
  url: string,
  ca: string,
  options: { readonly method: string; readonly headers: Readonly<Record<string, string>> },
  body?: Json,
): Promise<Json> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { ...options, ca, timeout: 5_000 }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.once('end', () => {
        const status = response.statusCode ?? 0;
        if (status >= 200 && status < 300) {
          resolve((text === '' ? {} : JSON.parse(text)) as Json);
        } else {
          reject(new Error(`${options.method} ${url}: ${status} ${text}`));
        }
      });
    });
    sent.once('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
