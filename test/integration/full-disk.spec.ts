import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { TestServer } from '../support/server';

const BUCKET = 'full';
const OBJECT_BYTES = 3 * 1024 * 1024;
const mayMount = canMount();
const title = 'a disk without space';

(mayMount ? describe : describe.skip)(
  mayMount ? title : `${title} (skipped: it takes the right to mount a small one)`,
  () => {
    const body = randomBytes(OBJECT_BYTES);
    let dataDir: string;
    let server: TestServer;
    let s3: S3Client;

    beforeAll(async () => {
      dataDir = await mkdtemp(join(tmpdir(), 'strongroom-full-'));
      mount(dataDir, 'size=8m');
      server = await TestServer.start({ dataDir });
      s3 = server.s3();
      await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
    });
    afterAll(async () => {
      await server.stop();
      execFileSync('umount', [dataDir]);
      await rm(dataDir, { recursive: true });
    });

    const put = (Key: string): Promise<unknown> =>
      s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: body, ServerSideEncryption: 'aws:kms' }));

    it('refuses what does not fit with a clear error, keeps what was stored, and goes on when there is space', async () => {
      await put('first');
      await put('second');
      await expect(put('third')).rejects.toMatchObject({
        name: 'XMinioStorageFull',
        message: 'There is no space left to store this',
        $metadata: { httpStatusCode: 507, attempts: 1 },
      });
      await expect(put('second')).rejects.toMatchObject({ name: 'XMinioStorageFull' });
      const listed = await s3.send(new ListObjectsV2Command({ Bucket: BUCKET }));
      expect(listed.Contents?.map(({ Key }) => Key)).toEqual(['first', 'second']);
      for (const Key of ['first', 'second']) {
        const { Body } = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key }));
        expect(body.equals(await Body!.transformToByteArray())).toBe(true);
      }
      const names = await readdir(join(dataDir, 'blobs'), { recursive: true, withFileTypes: true });
      expect(names.filter((name) => name.isFile())).toHaveLength(2);

      mount(dataDir, 'remount,size=64m');
      await put('third');
    });
  },
);

/** Root in a container often may not. */
function canMount(): boolean {
  const directory = mkdtempSync(join(tmpdir(), 'strongroom-mount-'));
  try {
    mount(directory, 'size=1m');
    execFileSync('umount', [directory]);
    return true;
  } catch {
    return false;
  } finally {
    rmdirSync(directory);
  }
}

function mount(directory: string, options: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', directory], { stdio: 'ignore' });
}
