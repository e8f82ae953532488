import {
  ChecksumAlgorithm,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  ListObjectVersionsCommand,
  paginateListObjectsV2,
  paginateListParts,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
  waitUntilBucketExists,
  waitUntilBucketNotExists,
  waitUntilObjectExists,
  waitUntilObjectNotExists,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ClientStore, KEY } from './support/client-store';
import { writeLarge } from './support/large-file';
import { carryTree } from './support/library-session';
import { SESSION } from './support/session-size';

const BUCKET = 'aws-sdk';
const MIB = 1024 * 1024;
const PART_MEBIBYTES = 16;

/** Keys that no file system holds. */
const ODD_KEYS = [
  'a//b',
  '/leading',
  '//',
  'trailing/',
  '.',
  '..',
  './x',
  'x/../y',
  'line\nbreak',
  '\u0001',
  '<&>"\'',
  '%2F',
  '+ +',
];

function* endlessly(chunk: Buffer): Generator<Buffer> {
  for (;;) {
    yield chunk;
  }
}

describe('the AWS SDK for JavaScript', () => {
  let store: ClientStore;
  let s3: S3Client;

  beforeAll(async () => {
    store = await ClientStore.start('vault');
    s3 = store.s3;
    await store.createBucket(BUCKET);
  });
  afterAll(() => store.stop());

  const bytes = async (key: string, more: object = {}): Promise<Buffer> => {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: key, ...more }));
    return Buffer.from(await Body!.transformToByteArray());
  };
  const sizesBelow = async (prefix: string): Promise<Map<string, number>> => {
    const sizes = new Map<string, number>();
    for await (const page of paginateListObjectsV2({ client: s3, pageSize: 300 }, { Bucket: BUCKET, Prefix: prefix })) {
      for (const { Key = '', Size = 0 } of page.Contents ?? []) {
        sizes.set(Key, Size);
      }
    }
    return sizes;
  };
  const remove = async (keys: string[]): Promise<void> => {
    for (let rest = keys; rest.length > 0; rest = rest.slice(1000)) {
      const Objects = rest.slice(0, 1000).map((Key) => ({ Key }));
      const deleted = await s3.send(new DeleteObjectsCommand({ Bucket: BUCKET, Delete: { Objects } }));
      expect(deleted.Errors ?? []).toEqual([]);
    }
  };

  it('carries a tree, transfers nothing the second time, follows changes, and removes all of it', async () => {
    const library = {
      list: sizesBelow,
      put: async (Key: string, path: string) =>
        s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: await readFile(path) })),
      get: async (key: string, path: string) => writeFile(path, await bytes(key)),
      remove,
    };
    await carryTree(library, store, BUCKET);
    await remove([...(await sizesBelow('tree/')).keys()]);
    expect(await sizesBelow('tree/')).toEqual(new Map());
  });

  it('puts, lists bytewise, reads and deletes keys that no file system holds', async () => {
    const bodies = new Map(ODD_KEYS.map((odd, index) => [`odd/${odd}`, randomBytes(index * 10)]));
    for (const [Key, Body] of bodies) {
      await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body }));
    }
    const bytewise = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
    expect([...(await sizesBelow('odd/')).keys()]).toEqual([...bodies.keys()].sort(bytewise));
    for (const [key, body] of bodies) {
      expect([key, (await bytes(key)).equals(body)]).toEqual([key, true]);
    }
    await remove([...bodies.keys()]);
    expect(await sizesBelow('odd/')).toEqual(new Map());
  });

  it('carries a large file there and back as a stream in parts, and reads ranges of it', async () => {
    const large = await writeLarge(store.path('large'));
    const upload = new Upload({
      client: s3,
      params: {
        Bucket: BUCKET,
        Key: 'stream',
        Body: createReadStream(large.path),
        SSEKMSKeyId: KEY,
        ServerSideEncryption: 'aws:kms',
      },
      partSize: PART_MEBIBYTES * MIB,
      queueSize: 3,
    });
    let progress = 0;
    upload.on('httpUploadProgress', ({ loaded = 0 }) => (progress = Math.max(progress, loaded)));
    const done = await upload.done();
    const parts = SESSION.largeMebibytes / PART_MEBIBYTES;
    expect(done).toMatchObject({
      ServerSideEncryption: 'aws:kms',
      ETag: expect.stringContaining(`-${parts}"`) as string,
    });
    expect(progress).toBe(large.size);
    await store.expectCiphertextOnly(large);
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: 'stream', ChecksumMode: 'ENABLED' }));
    const hash = createHash('sha256');
    await pipeline(Body as Readable, hash);
    expect(hash.digest('hex')).toBe(large.sha256);
    const [start, end] = [PART_MEBIBYTES * MIB - 3, PART_MEBIBYTES * MIB + 3];
    const across = await bytes('stream', { Range: `bytes=${start}-${end}` });
    const read = createReadStream(large.path, { start, end });
    expect(across.equals(Buffer.concat(await read.toArray()))).toBe(true);
    expect(await bytes('stream', { PartNumber: parts })).toHaveLength(PART_MEBIBYTES * MIB);
  });

  it('gives up an upload that was cancelled', async () => {
    const upload = new Upload({
      client: s3,
      params: { Bucket: BUCKET, Key: 'cancelled', Body: Readable.from(endlessly(Buffer.alloc(MIB))) },
    });
    upload.once('httpUploadProgress', () => void upload.abort());
    await expect(upload.done()).rejects.toThrow(/abort/i);
    expect(await sizesBelow('cancelled')).toEqual(new Map());
  });

  it.each(Object.values(ChecksumAlgorithm).filter((name) => /^(CRC|SHA(1|256)$)/.test(name)))(
    'checks %s in one piece and in parts',
    async (algorithm) => {
      const target = { Bucket: BUCKET, Key: `checksums/${algorithm}` };
      const body = randomBytes(100_000);
      const put = await s3.send(new PutObjectCommand({ ...target, Body: body, ChecksumAlgorithm: algorithm }));
      const field = `Checksum${algorithm}` as 'ChecksumCRC32';
      const got = await s3.send(new GetObjectCommand({ ...target, ChecksumMode: 'ENABLED' }));
      expect(put[field]).toMatch(/=$/);
      expect(got[field]).toBe(put[field]);
      expect(Buffer.from(await got.Body!.transformToByteArray()).equals(body)).toBe(true);

      const started = await s3.send(new CreateMultipartUploadCommand({ ...target, ChecksumAlgorithm: algorithm }));
      const upload = { ...target, UploadId: started.UploadId };
      const parts = [];
      for (const [index, size] of [5 * MIB, 1000].entries()) {
        const part = { ...upload, PartNumber: index + 1, Body: randomBytes(size), ChecksumAlgorithm: algorithm };
        const { ETag, [field]: checksum } = await s3.send(new UploadPartCommand(part));
        parts.push({ PartNumber: index + 1, ETag, [field]: checksum });
      }
      const numbers = [];
      for await (const page of paginateListParts({ client: s3, pageSize: 1 }, upload)) {
        numbers.push(page.Parts?.map((part) => part.PartNumber));
      }
      expect(numbers).toEqual([[1], [2]]);
      await s3.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts: parts } }));
      const attributes = await s3.send(
        new GetObjectAttributesCommand({ ...target, ObjectAttributes: ['Checksum', 'ObjectParts', 'ObjectSize'] }),
      );
      expect(attributes).toMatchObject({ ObjectSize: 5 * MIB + 1000, ObjectParts: { TotalPartsCount: 2 } });
      expect(attributes.Checksum?.[field]).toBeDefined();
    },
  );

  it('copies whole objects and parts of them', async () => {
    const body = randomBytes(6 * MIB);
    await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: 'copy/source ü+', Body: body }));
    const CopySource = `${BUCKET}/${encodeURIComponent('copy/source ü+')}`;
    await s3.send(
      new CopyObjectCommand({ Bucket: BUCKET, Key: 'copy/whole', CopySource, ServerSideEncryption: 'AES256' }),
    );
    expect((await bytes('copy/whole')).equals(body)).toBe(true);
    const target = { Bucket: BUCKET, Key: 'copy/parts' };
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand(target));
    const Parts = [];
    for (const [index, range] of [`0-${5 * MIB - 1}`, '100-199'].entries()) {
      const part = { ...target, UploadId, PartNumber: index + 1, CopySource, CopySourceRange: `bytes=${range}` };
      const { CopyPartResult } = await s3.send(new UploadPartCopyCommand(part));
      Parts.push({ PartNumber: index + 1, ETag: CopyPartResult?.ETag });
    }
    await s3.send(new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts } }));
    const expected = Buffer.concat([body.subarray(0, 5 * MIB), body.subarray(100, 200)]);
    expect((await bytes('copy/parts')).equals(expected)).toBe(true);
  });

  it('waits for buckets and objects', async () => {
    const limits = { client: s3, maxWaitTime: 30, minDelay: 1, maxDelay: 1 };
    const bucket = { Bucket: 'aws-sdk-waited' };
    await waitUntilBucketNotExists(limits, bucket);
    await s3.send(new CreateBucketCommand(bucket));
    await waitUntilBucketExists(limits, bucket);
    const object = { Bucket: BUCKET, Key: 'waited' };
    await s3.send(new PutObjectCommand({ ...object, Body: 'x' }));
    await waitUntilObjectExists(limits, object);
    await s3.send(new DeleteObjectCommand(object));
    await waitUntilObjectNotExists(limits, object);
  });

  it('presigns reads and encrypted writes', async () => {
    const target = { Bucket: BUCKET, Key: 'presigned/ü +' };
    const put = new PutObjectCommand({ ...target, ServerSideEncryption: 'aws:kms', SSEKMSKeyId: KEY });
    const encryption = ['x-amz-server-side-encryption', 'x-amz-server-side-encryption-aws-kms-key-id'];
    const putUrl = await getSignedUrl(s3, put, { expiresIn: 60, unhoistableHeaders: new Set(encryption) });
    const headers = { 'x-amz-server-side-encryption': 'aws:kms', 'x-amz-server-side-encryption-aws-kms-key-id': KEY };
    expect((await fetch(putUrl, { method: 'PUT', body: 'without its headers' })).status).toBe(403);
    expect((await fetch(putUrl, { method: 'PUT', body: 'by URL', headers })).status).toBe(200);
    const get = new GetObjectCommand({ ...target, ResponseContentDisposition: 'attachment; filename="a b"' });
    const response = await fetch(await getSignedUrl(s3, get, { expiresIn: 60 }));
    expect(response.headers.get('content-disposition')).toBe('attachment; filename="a b"');
    expect(await response.text()).toBe('by URL');
  });

  it('writes on conditions and reads versions', async () => {
    await store.createBucket('aws-sdk-versions', true);
    const target = { Bucket: 'aws-sdk-versions', Key: 'k' };
    const first = await s3.send(new PutObjectCommand({ ...target, Body: 'one', IfNoneMatch: '*' }));
    await expect(s3.send(new PutObjectCommand({ ...target, Body: 'no', IfNoneMatch: '*' }))).rejects.toMatchObject({
      name: 'PreconditionFailed',
    });
    await s3.send(new PutObjectCommand({ ...target, Body: 'two', IfMatch: first.ETag }));
    const { Versions = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket: target.Bucket }));
    expect(Versions.map(({ IsLatest }) => IsLatest)).toEqual([true, false]);
    const old = await s3.send(new GetObjectCommand({ ...target, VersionId: first.VersionId }));
    expect(await old.Body?.transformToString()).toBe('one');
  });
});
