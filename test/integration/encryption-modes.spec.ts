import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { TestServer } from '../support/server';

const BUCKET = 'modes';
const MIB = 1024 * 1024;
const MARKER = Buffer.from('a plaintext marker that must not reach the disk ');

interface Mode {
  readonly name: string;
  /** Members of a write request. */
  readonly write: Record<string, unknown>;
  /** Members of a read request. */
  readonly read: Record<string, unknown>;
  /** Members of a copy request that name the source's key. */
  readonly source: Record<string, unknown>;
  /** What HEAD and GET answer. */
  readonly answer: Record<string, unknown>;
}

const customerKey = randomBytes(32);
const customer = {
  SSECustomerAlgorithm: 'AES256',
  SSECustomerKey: customerKey.toString('base64'),
  SSECustomerKeyMD5: createHash('md5').update(customerKey).digest('base64'),
};

const MODES: readonly Mode[] = [
  { name: 'plain', write: {}, read: {}, source: {}, answer: {} },
  {
    name: 'SSE-S3',
    write: { ServerSideEncryption: 'AES256' },
    read: {},
    source: {},
    answer: { ServerSideEncryption: 'AES256' },
  },
  {
    name: 'SSE-KMS',
    write: { ServerSideEncryption: 'aws:kms' },
    read: {},
    source: {},
    answer: { ServerSideEncryption: 'aws:kms' },
  },
  {
    name: 'SSE-KMS with a bucket key',
    write: { ServerSideEncryption: 'aws:kms', BucketKeyEnabled: true },
    read: {},
    source: {},
    answer: { ServerSideEncryption: 'aws:kms', BucketKeyEnabled: true },
  },
  {
    name: 'DSSE-KMS',
    write: { ServerSideEncryption: 'aws:kms:dsse' },
    read: {},
    source: {},
    answer: { ServerSideEncryption: 'aws:kms:dsse' },
  },
  {
    name: 'SSE-C',
    write: customer,
    read: customer,
    source: {
      CopySourceSSECustomerAlgorithm: 'AES256',
      CopySourceSSECustomerKey: customer.SSECustomerKey,
      CopySourceSSECustomerKeyMD5: customer.SSECustomerKeyMD5,
    },
    answer: { SSECustomerAlgorithm: 'AES256', SSECustomerKeyMD5: customer.SSECustomerKeyMD5 },
  },
];

describe('encryption modes through the AWS SDK', () => {
  let server: TestServer;
  let s3: S3Client;

  beforeAll(async () => {
    server = await TestServer.start({ workers: 2, env: { STRONGROOM_AUTO_ENCRYPTION: 'off' } });
    s3 = server.s3();
    await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
  });
  afterAll(() => server.stop());

  const put = (mode: Mode, key: string, body: Buffer): Promise<unknown> =>
    s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: body, ...mode.write }));
  const get = async (mode: Mode, key: string, range?: string): Promise<Buffer> => {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: key, Range: range, ...mode.read }));
    return Buffer.from(await Body!.transformToByteArray());
  };

  describe.each(MODES)('$name', (mode) => {
    it.each([0, 1, 65_535, 65_536, 65_537, 5 * MIB + 1])('returns %i bytes whole and in ranges', async (size) => {
      const body = randomBytes(size);
      const key = `${mode.name}/${size}`;
      await put(mode, key, body);
      expect((await get(mode, key)).equals(body)).toBe(true);
      const head = await s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key: key, ...mode.read }));
      expect(head).toMatchObject({ ContentLength: size, ...mode.answer });
      for (const [first, last] of [
        [0, 0],
        [size - 1, size - 1],
        [65_530, 65_545],
        [100, 3 * MIB],
      ] as const) {
        if (first >= 0 && first < size) {
          const expected = body.subarray(first, Math.min(last, size - 1) + 1);
          expect((await get(mode, key, `bytes=${first}-${last}`)).equals(expected)).toBe(true);
        }
      }
      if (size > 7) {
        expect((await get(mode, key, 'bytes=-7')).equals(body.subarray(size - 7))).toBe(true);
      }
    });

    it('takes parts in parallel and out of order, and reads across them', async () => {
      const key = `${mode.name}/multipart`;
      const sizes = [5 * MIB, 5 * MIB + 12_345, 77];
      const parts = sizes.map((size) => randomBytes(size));
      const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket: BUCKET, Key: key, ...mode.write }));
      const upload = { Bucket: BUCKET, Key: key, UploadId };
      const uploaded = await Promise.all(
        [2, 0, 1].map(async (index) => {
          const part = await s3.send(
            new UploadPartCommand({ ...upload, PartNumber: index + 1, Body: parts[index], ...mode.read }),
          );
          return { PartNumber: index + 1, ETag: part.ETag, ChecksumCRC32: part.ChecksumCRC32 };
        }),
      );
      uploaded.sort((one, other) => one.PartNumber - other.PartNumber);
      const completed = await s3.send(
        new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts: uploaded }, ...mode.read }),
      );
      expect(completed.ETag).toMatch(/-3"$/);
      const whole = Buffer.concat(parts);
      expect((await get(mode, key)).equals(whole)).toBe(true);
      const across = await get(mode, key, `bytes=${5 * MIB - 10}-${10 * MIB + 12_350}`);
      expect(across.equals(whole.subarray(5 * MIB - 10, 10 * MIB + 12_351))).toBe(true);
      const second = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: key, PartNumber: 2, ...mode.read }));
      expect(second.PartsCount).toBe(3);
      expect(Buffer.from(await second.Body!.transformToByteArray()).equals(parts[1]!)).toBe(true);
    });

    it.each(MODES)('is copied to $name', async (target) => {
      const body = randomBytes(300_000);
      const from = `${mode.name}/copy-source`;
      const to = `${target.name}/copied from ${mode.name}`;
      await put(mode, from, body);
      await s3.send(
        new CopyObjectCommand({
          Bucket: BUCKET,
          Key: to,
          CopySource: encodeURI(`${BUCKET}/${from}`),
          ...mode.source,
          ...target.write,
        }),
      );
      expect((await get(target, to)).equals(body)).toBe(true);
      const head = await s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key: to, ...target.read }));
      expect(head).toMatchObject(target.answer);
    });
  });

  it('leaves no plaintext of an encrypted object on the disk', async () => {
    const body = Buffer.concat(Array.from({ length: 3000 }, () => MARKER));
    for (const mode of MODES.filter(({ name }) => name !== 'plain')) {
      await put(mode, `marked/${mode.name}`, body);
    }
    let files = 0;
    for (const entry of await readdir(server.dataDir, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) {
        files++;
        expect((await readFile(join(entry.parentPath, entry.name))).includes(MARKER)).toBe(false);
      }
    }
    expect(files).toBeGreaterThan(MODES.length);
  });
});
