import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type BucketItem, Client, CopyDestinationOptions, CopySourceOptions } from 'minio';
import { ClientStore } from './support/client-store';
import { expectSameContent, writeLarge } from './support/large-file';
import { carryTree } from './support/library-session';

const BUCKET = 'minio-js';
/** The client's own is 64 MiB. */
const PART_SIZE = 16 * 1024 * 1024;

describe('minio-js', () => {
  let store: ClientStore;
  let client: Client;

  beforeAll(async () => {
    store = await ClientStore.start('embedded');
    const { server } = store;
    const { hostname, port } = new URL(server.endpoint);
    client = new Client({
      endPoint: hostname,
      port: Number(port),
      useSSL: false,
      accessKey: server.accessKeyId,
      secretKey: server.secretAccessKey,
      region: 'us-east-1',
      partSize: PART_SIZE,
    });
    await client.makeBucket(BUCKET);
    await store.sealBucket(BUCKET);
  });
  afterAll(() => store.stop());

  /** As fGetObject does, which cannot tell a missing file from other errors in the realm of a test. */
  const download = async (name: string, path: string): Promise<void> =>
    pipeline(await client.getObject(BUCKET, name), createWriteStream(path));
  const list = async (prefix: string, recursive = true): Promise<Map<string, number>> => {
    const sizes = new Map<string, number>();
    for await (const item of client.listObjectsV2(BUCKET, prefix, recursive) as AsyncIterable<BucketItem>) {
      sizes.set(item.name ?? item.prefix, item.size);
    }
    return sizes;
  };

  it('finds its bucket', async () => {
    expect(await client.bucketExists(BUCKET)).toBe(true);
    expect(await client.bucketExists('another-bucket')).toBe(false);
    expect((await client.listBuckets()).map(({ name }) => name)).toEqual([BUCKET]);
  });

  it('carries a tree, transfers nothing the second time, follows changes, and removes all of it', async () => {
    const library = {
      list,
      put: (name: string, path: string) => client.fPutObject(BUCKET, name, path),
      get: download,
      remove: (names: string[]) => client.removeObjects(BUCKET, names),
    };
    await carryTree(library, store, BUCKET);
    await client.removeObjects(BUCKET, [...(await list('tree/')).keys()]);
    expect(await list('tree/')).toEqual(new Map());
  });

  it('carries a large file there and back, and puts objects together from others', async () => {
    const large = await writeLarge(store.path('large'));
    const { etag } = await client.fPutObject(BUCKET, 'large', large.path);
    expect(etag).toMatch(new RegExp(`-${large.size / PART_SIZE}$`));
    await store.expectCiphertextOnly(large);
    await download('large', store.path('large.back'));
    await expectSameContent(store.path('large.back'), large);
    const tail = randomBytes(100);
    await client.putObject(BUCKET, 'tail', tail);
    await client.composeObject(new CopyDestinationOptions({ Bucket: BUCKET, Object: 'composed' }), [
      new CopySourceOptions({ Bucket: BUCKET, Object: 'large', MatchRange: true, Start: 0, End: 6_000_000 - 1 }),
      new CopySourceOptions({ Bucket: BUCKET, Object: 'tail' }),
    ]);
    expect((await client.statObject(BUCKET, 'composed')).size).toBe(6_000_100);
    expect((await bytes(await client.getPartialObject(BUCKET, 'composed', 6_000_000))).equals(tail)).toBe(true);
  });

  it('keeps versions', async () => {
    await client.makeBucket('minio-js-versions');
    await client.setBucketVersioning('minio-js-versions', { Status: 'Enabled' });
    const first = await client.putObject('minio-js-versions', 'v', 'one');
    await client.putObject('minio-js-versions', 'v', 'two');
    await client.removeObject('minio-js-versions', 'v');
    const old = await client.getObject('minio-js-versions', 'v', { versionId: first.versionId ?? '' });
    expect((await bytes(old)).toString()).toBe('one');
    const listed: { isDeleteMarker?: boolean }[] = [];
    for await (const item of client.listObjects('minio-js-versions', '', true, { IncludeVersion: true })) {
      listed.push(item as { isDeleteMarker?: boolean });
    }
    expect(listed.map(({ isDeleteMarker = false }) => isDeleteMarker).sort()).toEqual([false, false, true]);
  });

  it('opens a prefix to everybody by a policy, and posts by a form', async () => {
    const Resource = `arn:aws:s3:::${BUCKET}/open/*`;
    const statement = { Effect: 'Allow', Principal: '*', Action: ['s3:GetObject'], Resource };
    await client.setBucketPolicy(BUCKET, JSON.stringify({ Version: '2012-10-17', Statement: [statement] }));
    expect(await client.getBucketPolicy(BUCKET)).toContain(Resource);
    const policy = client.newPostPolicy();
    policy.setBucket(BUCKET);
    policy.setKeyStartsWith('open/');
    policy.setExpires(new Date(Date.now() + 60_000));
    policy.setContentLengthRange(1, 1000);
    const { postURL, formData } = await client.presignedPostPolicy(policy);
    const form = new FormData();
    for (const [name, value] of Object.entries({ ...formData, key: 'open/posted' })) {
      form.append(name, String(value));
    }
    form.append('file', new Blob(['posted']), 'posted');
    expect((await fetch(postURL, { method: 'POST', body: form })).status).toBe(204);
    expect((await bytes(await client.getObject(BUCKET, 'open/posted'))).toString()).toBe('posted');
    // What SSE-KMS seals is not for everybody, as on AWS.
    await client.putObject(BUCKET, 'open/public', 'public', 6, { 'X-Amz-Server-Side-Encryption': 'AES256' });
    const anonymous = (name: string): Promise<Response> => fetch(`${store.server.endpoint}/${BUCKET}/${name}`);
    expect((await anonymous('open/posted')).status).toBe(400);
    expect(await (await anonymous('open/public')).text()).toBe('public');
    expect((await anonymous('large')).status).toBe(403);
    await client.setBucketPolicy(BUCKET, '');
    expect((await anonymous('open/public')).status).toBe(403);
  });

  it('puts and gets objects, whole and in part', async () => {
    for (const size of [0, 10, 200_000]) {
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
    expect([...(await list('list/', false)).keys()].sort()).toEqual(['list/a', 'list/b/', 'list/ü']);
    await client.copyObject(BUCKET, 'copy', `/${BUCKET}/list/a`);
    expect((await bytes(await client.getObject(BUCKET, 'copy'))).toString()).toBe('list/a');
    await client.setObjectTagging(BUCKET, 'copy', { team: 'blue' });
    expect(await client.getObjectTagging(BUCKET, 'copy')).toEqual([{ Key: 'team', Value: 'blue' }]);
    await client.setBucketTagging(BUCKET, { team: 'red' });
    expect(await client.getBucketTagging(BUCKET)).toEqual([{ Key: 'team', Value: 'red' }]);
    await client.removeBucketTagging(BUCKET);
    await client.removeObjects(BUCKET, ['list/a', 'list/b/1', 'list/b/2', 'list/ü', 'copy']);
    await expect(client.statObject(BUCKET, 'copy')).rejects.toMatchObject({ code: 'NotFound' });
  });

  it('signs a URL for an upload', async () => {
    const url = await client.presignedPutObject(BUCKET, 'presigned', 60);
    expect((await fetch(url, { method: 'PUT', body: 'by URL' })).status).toBe(200);
    expect((await bytes(await client.getObject(BUCKET, 'presigned'))).toString()).toBe('by URL');
  });

  it('sets and removes the encryption of a bucket, and reads its notifications', async () => {
    await client.makeBucket('minio-js-default');
    const rule = { ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms' } };
    await client.setBucketEncryption('minio-js-default', { Rule: [rule] });
    await client.putObject('minio-js-default', 'by default', 'x');
    const url = await client.presignedUrl('HEAD', 'minio-js-default', 'by default', 60);
    expect((await fetch(url, { method: 'HEAD' })).headers.get('x-amz-server-side-encryption')).toBe('aws:kms');
    await client.removeBucketEncryption('minio-js-default');
    expect(await client.getBucketNotification('minio-js-default')).toBeDefined();
  });
});

async function bytes(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) {
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}
