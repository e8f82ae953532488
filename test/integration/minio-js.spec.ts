import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import { Client } from 'minio';
import { TestServer } from '../support/server';

const BUCKET = 'minio-js';

describe('minio-js', () => {
  let server: TestServer;
  let client: Client;

  beforeAll(async () => {
    server = await TestServer.start();
    const { hostname, port } = new URL(server.endpoint);
    client = new Client({
      endPoint: hostname,
      port: Number(port),
      useSSL: false,
      accessKey: server.accessKeyId,
      secretKey: server.secretAccessKey,
      region: 'us-east-1',
    });
    await client.makeBucket(BUCKET);
  });
  afterAll(() => server.stop());

  it('finds its bucket', async () => {
    expect(await client.bucketExists(BUCKET)).toBe(true);
    expect(await client.bucketExists('another-bucket')).toBe(false);
    expect((await client.listBuckets()).map(({ name }) => name)).toEqual([BUCKET]);
  });

  it('puts and gets small and multipart objects, whole and in part', async () => {
    for (const size of [0, 10, 200_000, 70 * 1024 * 1024]) {
      const body = randomBytes(size);
      await client.putObject(BUCKET, `object ${size}`, body, size, { 'X-Amz-Meta-Colour': 'blue' });
      expect((await bytes(await client.getObject(BUCKET, `object ${size}`))).equals(body)).toBe(true);
      const stat = await client.statObject(BUCKET, `object ${size}`);
      expect(stat.size).toBe(size);
      expect(stat.metaData).toMatchObject({ colour: 'blue' });
    }
    const part = await bytes(await client.getPartialObject(BUCKET, 'object 200000', 100, 50));
    expect(part).toHaveLength(50);
  });

  it('lists with prefixes, copies, tags and removes', async () => {
    for (const name of ['list/a', 'list/b/1', 'list/b/2', 'list/ü']) {
      await client.putObject(BUCKET, name, name);
    }
    const listed: string[] = [];
    for await (const item of client.listObjectsV2(BUCKET, 'list/') as AsyncIterable<{
      name?: string;
      prefix?: string;
    }>) {
      listed.push(item.name ?? item.prefix ?? '');
    }
    expect(listed.sort()).toEqual(['list/a', 'list/b/', 'list/ü']);
    await client.copyObject(BUCKET, 'copy', `/${BUCKET}/list/a`);
    expect((await bytes(await client.getObject(BUCKET, 'copy'))).toString()).toBe('list/a');
    await client.setObjectTagging(BUCKET, 'copy', { team: 'blue' });
    expect(await client.getObjectTagging(BUCKET, 'copy')).toEqual([{ Key: 'team', Value: 'blue' }]);
    await client.removeObjects(BUCKET, ['list/a', 'list/b/1', 'list/b/2', 'list/ü', 'copy']);
    await expect(client.statObject(BUCKET, 'copy')).rejects.toMatchObject({ code: 'NotFound' });
  });

  it('signs a URL for an upload', async () => {
    const url = await client.presignedPutObject(BUCKET, 'presigned', 60);
    expect((await fetch(url, { method: 'PUT', body: 'by URL' })).status).toBe(200);
    expect((await bytes(await client.getObject(BUCKET, 'presigned'))).toString()).toBe('by URL');
  });

  it('encrypts a bucket by default', async () => {
    await client.setBucketEncryption(BUCKET, {
      Rule: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms' } }],
    });
    await client.putObject(BUCKET, 'by default', 'x');
    const response = await fetch(await client.presignedUrl('HEAD', BUCKET, 'by default', 60), { method: 'HEAD' });
    expect(response.headers.get('x-amz-server-side-encryption')).toBe('aws:kms');
    await client.removeBucketEncryption(BUCKET);
  });
});

async function bytes(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) {
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}
