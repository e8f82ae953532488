import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { createDatabase, dropDatabase } from '../support/database';
import { eventually } from '../support/eventually';
import { TestServer } from '../support/server';

const BUCKET = 'durable';
const KIB = 1024;

describe('processes that end', () => {
  let dataDir: string;
  let databaseUrl: string;
  let server: TestServer | undefined;

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'strongroom-processes-'));
    databaseUrl = await createDatabase();
  });
  afterEach(async () => {
    await server?.terminate();
    await dropDatabase(databaseUrl);
    await rm(dataDir, { recursive: true, force: true });
  });

  const start = async (env: Record<string, string> = {}): Promise<TestServer> => {
    server = await TestServer.start({ workers: 2, dataDir, databaseUrl, env });
    return server;
  };

  it('keeps every acknowledged object when the primary and all workers are killed in the middle of uploads', async () => {
    const first = await start();
    const s3 = first.s3();
    await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
    const acknowledged = new Map<string, string>();
    const uploads = Array.from({ length: 8 }, (_, uploader) => upload(s3, uploader, acknowledged));
    await eventually(() => expect(acknowledged.size).toBeGreaterThan(60));
    await first.kill();
    await Promise.all(uploads);

    const second = await start();
    const reader = second.s3();
    for (const [key, digest] of acknowledged) {
      const { Body } = await reader.send(new GetObjectCommand({ Bucket: BUCKET, Key: key }));
      expect(sha256(await Body!.transformToByteArray())).toBe(digest);
    }
    const listed = await reader.send(new ListObjectsV2Command({ Bucket: BUCKET }));
    for (const { Key } of listed.Contents ?? []) {
      const { Body, ContentLength } = await reader.send(new GetObjectCommand({ Bucket: BUCKET, Key }));
      expect((await Body!.transformToByteArray()).length).toBe(ContentLength);
    }
  });

  it('finishes a request in flight before it stops, and has never printed a secret', async () => {
    const running = await start({ STRONGROOM_LOG_LEVEL: 'trace' });
    const s3 = running.s3();
    await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
    await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: 'k', Body: 'x', ServerSideEncryption: 'aws:kms' }));
    await running.admin('GET', '/minio/admin/v3/config');
    const url = new URL(`${running.endpoint}/${BUCKET}/slow`);
    const { signedPut } = await import('../support/raw-request.js');
    const request = signedPut(running, url, 6);
    request.write('abc');
    await once(request, 'socket');
    const answered = once(request, 'response') as Promise<[{ statusCode: number }]>;
    await eventually(async () => expect(await stagedFilesOrConnections(running)).toBe(true));
    const exited = running.terminate();
    await eventually(() => expect(running.output).toContain('finishing requests in flight'));
    request.end('def');
    const [{ statusCode }] = await answered;
    expect(statusCode).toBe(200);
    expect(await exited).toBe(0);
    const rootKey = (await readFile(join(dataDir, 'root.key'), 'utf8')).trim();
    expect(running.output).toContain(BUCKET);
    expect(running.output).not.toContain(running.secretAccessKey);
    expect(running.output).not.toContain(rootKey);
  });

  it('names every wrong setting at once and does not start', async () => {
    const wrong = { STRONGROOM_WORKERS: 'many', STRONGROOM_REGOIN: 'x', STRONGROOM_INLINE_LIMIT: '-1' };
    const failure = await start(wrong).then(
      () => '',
      (error: unknown) => String(error),
    );
    for (const name of [...Object.keys(wrong), 'STRONGROOM_REGION']) {
      expect(failure).toContain(name);
    }
  });
});

describe('processes that go on', () => {
  let running: TestServer;

  beforeAll(async () => {
    running = await TestServer.start({ workers: 2 });
  });
  afterAll(() => running.stop());

  it('refuses a second instance on the same data directory, naming the first', async () => {
    const main = resolve(__dirname, '..', '..', 'dist', 'src', 'main.js');
    const second = spawn(process.execPath, [main], {
      cwd: running.dataDir,
      env: {
        PATH: process.env['PATH'],
        STRONGROOM_DATA_DIR: running.dataDir,
        STRONGROOM_ADDRESS: '127.0.0.1:0',
        DATABASE_URL: running.databaseUrl,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    second.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    second.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const [code] = (await once(second, 'exit')) as [number];
    expect(code).toBe(1);
    expect(output).toContain(`is in use by process ${running.process.pid}`);
    expect(output).toContain('STRONGROOM_DATA_DIR');
  });

  it('answers liveness, readiness with every part by name, and metrics of all workers together', async () => {
    expect((await fetch(`${running.endpoint}/health/live`)).status).toBe(200);
    const ready = await fetch(`${running.endpoint}/health/ready`);
    expect(ready.status).toBe(200);
    const parts = JSON.stringify(await ready.json());
    for (const part of ['database', 'blobStore', 'builtin:default']) {
      expect(parts).toContain(part);
    }
    const bucketsCreated = async (): Promise<number> => {
      const metrics = await (await fetch(`${running.endpoint}/metrics`)).text();
      return Number(/strongroom_requests_total\{[^}]*operation="CreateBucket"[^}]*\} (\d+)/.exec(metrics)?.[1] ?? 0);
    };
    const before = await bucketsCreated();
    await running.s3().send(new CreateBucketCommand({ Bucket: 'counted' }));
    await eventually(async () => expect(await bucketsCreated()).toBe(before + 1));
  });

  it('replaces a killed worker and goes on serving', async () => {
    const s3 = running.s3({ maxAttempts: 5 });
    await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
    await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: 'before', Body: 'x' }));
    const [victim] = await childProcesses(running.process.pid!);
    process.kill(victim!, 'SIGKILL');
    await eventually(() => expect(running.output).toContain('The worker was replaced'));
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: 'before' }));
    expect(await Body!.transformToString()).toBe('x');
    expect(await childProcesses(running.process.pid!)).toHaveLength(2);
  });
});

async function upload(s3: S3Client, uploader: number, acknowledged: Map<string, string>): Promise<void> {
  const sizes = [1, 4 * KIB, 100 * KIB, 700 * KIB];
  for (let count = 0; count < 10_000; count++) {
    const body = randomBytes(sizes[count % sizes.length]!);
    const key = `${uploader}/${count}`;
    try {
      await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: body }));
    } catch {
      return;
    }
    acknowledged.set(key, sha256(body));
  }
}

async function childProcesses(parent: number): Promise<number[]> {
  const children: number[] = [];
  for (const entry of await readdir('/proc')) {
    if (/^\d+$/.test(entry)) {
      const stat = await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => '');
      const [state, ppid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const command = await readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => '');
      if (Number(ppid) === parent && state !== 'Z' && command.includes('main.js')) {
        children.push(Number(entry));
      }
    }
  }
  return children;
}

async function stagedFilesOrConnections(running: TestServer): Promise<boolean> {
  const metrics = await (await fetch(`${running.endpoint}/metrics`)).text();
  return /strongroom_requests_in_flight[^\n]* [1-9]/.test(metrics);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
