import { execFile, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { TestServer } from '../support/server';

const run = promisify(execFile);
const present = spawnSync('aws', ['--version']).status === 0;
const suite = present ? describe : describe.skip;
const MIB = 1024 * 1024;

suite(present ? 'aws-cli' : 'aws-cli (skipped: the aws command is not installed)', () => {
  let server: TestServer;
  let directory: string;

  beforeAll(async () => {
    server = await TestServer.start({ workers: 2 });
    directory = await mkdtemp(join(tmpdir(), 'strongroom-aws-cli-'));
  });
  afterAll(async () => {
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  });

  const aws = async (...args: string[]): Promise<string> => {
    const { stdout } = await run('aws', ['--endpoint-url', server.endpoint, ...args], {
      maxBuffer: 64 * MIB,
      env: {
        PATH: process.env['PATH'],
        HOME: directory,
        AWS_ACCESS_KEY_ID: server.accessKeyId,
        AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
        AWS_DEFAULT_REGION: 'us-east-1',
        AWS_EC2_METADATA_DISABLED: 'true',
      },
    });
    return stdout;
  };

  it('asks who it is, and assumes a role', async () => {
    const caller = JSON.parse(await aws('sts', 'get-caller-identity')) as { Arn: string };
    expect(caller.Arn).toBe('arn:aws:iam::000000000000:root');
    const role = ['--role-arn', 'arn:aws:iam:::role/any', '--role-session-name', 'cli', '--duration-seconds', '900'];
    const assumed = JSON.parse(await aws('sts', 'assume-role', ...role)) as { Credentials: { SessionToken: string } };
    expect(assumed.Credentials.SessionToken).not.toBe('');
  });

  it('makes a bucket, copies a multipart file under SSE-KMS there and back, and lists it', async () => {
    const source = join(directory, 'large.bin');
    await writeRandom(source, 100);
    await aws('s3', 'mb', 's3://cli-large');
    await aws('s3', 'cp', source, 's3://cli-large/dir/large.bin', '--sse', 'aws:kms', '--no-progress');
    const head = JSON.parse(await aws('s3api', 'head-object', '--bucket', 'cli-large', '--key', 'dir/large.bin')) as {
      ServerSideEncryption: string;
      ContentLength: number;
      ETag: string;
    };
    expect(head).toMatchObject({ ServerSideEncryption: 'aws:kms', ContentLength: 100 * MIB });
    expect(head.ETag).toMatch(/-13"$/);
    await aws('s3', 'cp', 's3://cli-large/dir/large.bin', join(directory, 'back.bin'), '--no-progress');
    expect(await digest(join(directory, 'back.bin'))).toBe(await digest(source));
    expect(await aws('s3', 'ls', 's3://cli-large/', '--recursive')).toContain('dir/large.bin');
  });

  it('synchronises a tree and transfers nothing the second time', async () => {
    const tree = join(directory, 'tree');
    for (const name of ['a.txt', 'deep/er/b.txt', 'odd name +&=?.txt', 'ünï/cødé 文件.txt']) {
      await mkdir(join(tree, name, '..'), { recursive: true });
      await writeFile(join(tree, name), randomBytes(5000));
    }
    await aws('s3', 'mb', 's3://cli-sync');
    expect((await aws('s3', 'sync', tree, 's3://cli-sync/tree', '--no-progress')).match(/upload:/g)).toHaveLength(4);
    expect(await aws('s3', 'sync', tree, 's3://cli-sync/tree', '--no-progress')).toBe('');
    await aws('s3', 'sync', 's3://cli-sync/tree', join(directory, 'tree-back'), '--no-progress');
    expect(spawnSync('diff', ['-r', tree, join(directory, 'tree-back')]).status).toBe(0);
    await aws('s3', 'mv', 's3://cli-sync/tree/a.txt', 's3://cli-sync/moved.txt');
    await aws('s3', 'rb', 's3://cli-sync', '--force');
  });

  it('uses a customer key and refuses another', async () => {
    const file = join(directory, 'customer.bin');
    await writeRandom(file, 1);
    await writeFile(join(directory, 'key'), randomBytes(32));
    await writeFile(join(directory, 'other'), randomBytes(32));
    const key = (name: string): string[] => ['--sse-c', 'AES256', '--sse-c-key', `fileb://${join(directory, name)}`];
    await aws('s3', 'mb', 's3://cli-customer');
    await aws('s3', 'cp', file, 's3://cli-customer/o', ...key('key'), '--no-progress');
    await aws('s3', 'cp', 's3://cli-customer/o', join(directory, 'customer.back'), ...key('key'), '--no-progress');
    expect(await digest(join(directory, 'customer.back'))).toBe(await digest(file));
    await expect(aws('s3', 'cp', 's3://cli-customer/o', join(directory, 'no'), ...key('other'))).rejects.toThrow(
      /403|Forbidden/,
    );
    await expect(aws('s3', 'cp', 's3://cli-customer/o', join(directory, 'no'))).rejects.toThrow(/400|Bad Request/);
  });

  it('presigns a download that needs no credentials', async () => {
    await writeFile(join(directory, 'public.txt'), 'presigned');
    await aws('s3', 'mb', 's3://cli-presign');
    await aws('s3', 'cp', join(directory, 'public.txt'), 's3://cli-presign/public.txt');
    const url = (await aws('s3', 'presign', 's3://cli-presign/public.txt', '--expires-in', '60')).trim();
    expect(await (await fetch(url)).text()).toBe('presigned');
    // Version 1 of the client presigns with Signature Version 2, whose parameter is named `Signature`.
    const changed = url.replace(
      /(Signature=)(.)/,
      (_, name: string, first: string) => name + (first === '0' ? '1' : '0'),
    );
    expect(changed).not.toBe(url);
    expect((await fetch(changed)).status).toBe(403);
  });

  it('sets, reads and removes the encryption of a bucket', async () => {
    await aws('s3', 'mb', 's3://cli-default');
    const rule =
      '{"Rules":[{"ApplyServerSideEncryptionByDefault":{"SSEAlgorithm":"aws:kms"},"BucketKeyEnabled":true}]}';
    await aws(
      's3api',
      'put-bucket-encryption',
      '--bucket',
      'cli-default',
      '--server-side-encryption-configuration',
      rule,
    );
    await writeFile(join(directory, 'small.txt'), 'small');
    const put = await aws(
      's3api',
      'put-object',
      '--bucket',
      'cli-default',
      '--key',
      's',
      '--body',
      join(directory, 'small.txt'),
    );
    expect(JSON.parse(put)).toMatchObject({ ServerSideEncryption: 'aws:kms', BucketKeyEnabled: true });
    expect(JSON.parse(await aws('s3api', 'get-bucket-encryption', '--bucket', 'cli-default'))).toMatchObject({
      ServerSideEncryptionConfiguration: JSON.parse(rule) as object,
    });
    await aws('s3api', 'delete-bucket-encryption', '--bucket', 'cli-default');
    await expect(aws('s3api', 'get-bucket-encryption', '--bucket', 'cli-default')).rejects.toThrow(
      'ServerSideEncryptionConfigurationNotFoundError',
    );
  });
});

async function writeRandom(path: string, mebibytes: number): Promise<void> {
  const file = await open(path, 'w');
  for (let written = 0; written < mebibytes; written++) {
    await file.write(randomBytes(MIB));
  }
  await file.close();
}

async function digest(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
