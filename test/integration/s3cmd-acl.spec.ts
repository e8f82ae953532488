import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TestServer } from '../support/server';

const run = promisify(execFile);
const present = spawnSync('s3cmd', ['--version']).status === 0;
const suite = present ? describe : describe.skip;

suite(present ? 'access lists by s3cmd' : 'access lists by s3cmd (skipped: s3cmd is not installed)', () => {
  let server: TestServer;
  let directory: string;

  beforeAll(async () => {
    server = await TestServer.start({ env: { STRONGROOM_DEFAULT_OBJECT_OWNERSHIP: 'ObjectWriter' } });
    directory = await mkdtemp(join(tmpdir(), 'strongroom-s3cmd-'));
    const host = new URL(server.endpoint).host;
    await writeFile(
      join(directory, 'config'),
      [
        '[default]',
        `access_key = ${server.accessKeyId}`,
        `secret_key = ${server.secretAccessKey}`,
        `host_base = ${host}`,
        `host_bucket = ${host}`,
        'use_https = False',
        'bucket_location = us-east-1',
      ].join('\n'),
    );
    await writeFile(join(directory, 'page.txt'), 'a page');
  });
  afterAll(async () => {
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  });

  const s3cmd = async (...args: string[]): Promise<string> =>
    (await run('s3cmd', ['-c', join(directory, 'config'), '--no-progress', ...args])).stdout;
  const anonymous = async (path: string): Promise<number> => (await fetch(`${server.endpoint}/${path}`)).status;

  it('open and close a bucket and an object to the public', async () => {
    await s3cmd('mb', 's3://lists');
    await s3cmd('put', join(directory, 'page.txt'), 's3://lists/page.txt');
    expect([await anonymous('lists'), await anonymous('lists/page.txt')]).toEqual([403, 403]);
    await s3cmd('setacl', '--acl-public', 's3://lists');
    await s3cmd('setacl', '--acl-public', 's3://lists/page.txt');
    expect([await anonymous('lists'), await anonymous('lists/page.txt')]).toEqual([200, 200]);
    expect(await s3cmd('info', 's3://lists/page.txt')).toMatch(/ACL:\s+\*anon\*: READ/);
    await s3cmd('setacl', '--acl-private', 's3://lists/page.txt');
    expect([await anonymous('lists'), await anonymous('lists/page.txt')]).toEqual([200, 403]);
  });

  it('grant a user what it may do, and revoke it', async () => {
    const created = await server.admin<{ ownerId: string }>('POST', '/api/v1/users', { name: 'friend' });
    const { body: key } = await server.admin<{ accessKeyId: string; secretKey: string }>(
      'POST',
      '/api/v1/access-keys',
      {
        userName: 'friend',
      },
    );
    await s3cmd('mb', 's3://granted');
    await s3cmd('put', join(directory, 'page.txt'), 's3://granted/page.txt');
    const asFriend = (): Promise<string> =>
      s3cmd(
        '--access_key',
        key.accessKeyId,
        '--secret_key',
        key.secretKey,
        'get',
        '--force',
        's3://granted/page.txt',
        '-',
      );
    await expect(asFriend()).rejects.toThrow(/403/);
    await s3cmd('setacl', `--acl-grant=read:${created.body.ownerId}`, 's3://granted/page.txt');
    expect(await asFriend()).toContain('a page');
    await s3cmd('setacl', `--acl-revoke=read:${created.body.ownerId}`, 's3://granted/page.txt');
    await expect(asFriend()).rejects.toThrow(/403/);
  });
});
