import { mkdtemp, readdir, realpath, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { TestServer } from '../support/server';

describe('the first start with nothing else installed', () => {
  let dataDir: string;
  let server: TestServer | undefined;

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'strongroom-first-start-'));
  });
  afterAll(async () => {
    await server?.terminate();
    await rm(await realpath(join(dataDir, 'postgres')), { recursive: true, force: true });
    await rm(dataDir, { recursive: true, force: true });
  });

  it('makes database, root key and credentials, prints the secret once, and keeps everything for the next start', async () => {
    server = await TestServer.start({
      database: 'embedded',
      dataDir,
      env: { STRONGROOM_ROOT_USER: '', STRONGROOM_ROOT_PASSWORD: '' },
    });
    const accessKeyId = /Access key\s+(\S+)/.exec(server.output)?.[1] ?? '';
    const secretAccessKey = /Secret key\s+(\S+)\s+\(shown this once/.exec(server.output)?.[1] ?? '';
    expect(secretAccessKey.length).toBeGreaterThanOrEqual(32);
    expect(server.output).toContain('/docs');
    expect(server.output).toMatch(/aws --endpoint-url http:\S+ s3 mb/);
    expect((await stat(join(dataDir, 'root.key'))).mode & 0o777).toBe(0o600);

    const credentials = { accessKeyId, secretAccessKey };
    const first = server.s3({ credentials });
    await first.send(new CreateBucketCommand({ Bucket: 'kept' }));
    await first.send(new PutObjectCommand({ Bucket: 'kept', Key: 'k', Body: 'kept', ServerSideEncryption: 'aws:kms' }));
    expect(await server.terminate()).toBe(0);

    server = await TestServer.start({
      database: 'embedded',
      dataDir,
      env: { STRONGROOM_ROOT_USER: '', STRONGROOM_ROOT_PASSWORD: '' },
    });
    expect(server.output).not.toContain(secretAccessKey);
    const { Body } = await server.s3({ credentials }).send(new GetObjectCommand({ Bucket: 'kept', Key: 'k' }));
    expect(await Body!.transformToString()).toBe('kept');
    expect(await readdir(dataDir)).toEqual(expect.arrayContaining(['postgres', 'root.key']));
  });
});
