import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import { describeWithMc, McClient } from '../support/mc-client';
import { TestServer } from '../support/server';

const POLICY = {
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Action: ['s3:GetObject', 's3:ListBucket'],
      Resource: ['arn:aws:s3:::photos', 'arn:aws:s3:::photos/*'],
    },
  ],
};

describeWithMc('mc on identities', () => {
  let server: TestServer;
  let client: McClient;
  let policyFile: string;

  beforeAll(async () => {
    server = await TestServer.start({ workers: 2 });
    client = await McClient.create();
    policyFile = join(client.directory, 'policy.json');
    await writeFile(policyFile, JSON.stringify(POLICY));
    await mc('alias', 'set', 'store', server.endpoint, server.accessKeyId, server.secretAccessKey);
    await mc('mb', 'store/photos', 'store/other');
    await writeFile(join(client.directory, 'cat.txt'), 'a cat');
    await mc('cp', join(client.directory, 'cat.txt'), 'store/photos/cat.txt');
  });
  afterAll(async () => {
    await server.stop();
    await client.remove();
  });

  const mc = (...args: string[]): Promise<string> => client.run(args);
  const json = (...args: string[]): Promise<Record<string, unknown>[]> => client.json(args);
  const refusal = (...args: string[]): Promise<string> => client.refusal(args);
  const addUser = (name: string): Promise<string> => mc('admin', 'user', 'add', 'store', name, `secret-of-${name}`);
  const aliasOf = (name: string, secret = `secret-of-${name}`): Promise<string> =>
    mc('alias', 'set', `as-${name}`, server.endpoint, name, secret);

  it('manages users', async () => {
    expect(await addUser('alice')).toContain('Added user `alice` successfully');
    expect(await json('admin', 'user', 'ls', 'store')).toMatchObject([{ accessKey: 'alice', userStatus: 'enabled' }]);
    await aliasOf('alice');
    expect(await mc('admin', 'user', 'disable', 'store', 'alice')).toContain('Disabled user `alice` successfully');
    expect(await json('admin', 'user', 'info', 'store', 'alice')).toMatchObject([{ userStatus: 'disabled' }]);
    expect(await refusal('ls', 'as-alice/photos')).toContain('does not exist in our records');
    expect(await mc('admin', 'user', 'enable', 'store', 'alice')).toContain('Enabled user `alice` successfully');
    expect(await refusal('ls', 'as-alice/photos')).toContain('Access Denied');
    expect(await mc('admin', 'user', 'rm', 'store', 'alice')).toContain('Removed user `alice` successfully');
    expect(await refusal('admin', 'user', 'info', 'store', 'alice')).toContain('does not exist');
  });

  it('manages policies', async () => {
    await addUser('bob');
    await aliasOf('bob');
    expect(await mc('admin', 'policy', 'create', 'store', 'photos', policyFile)).toContain('Created policy `photos`');
    const listed = (await mc('admin', 'policy', 'ls', 'store')).split('\n');
    expect(listed).toEqual(expect.arrayContaining(['photos', 'readwrite']));
    expect(await json('admin', 'policy', 'info', 'store', 'photos')).toMatchObject([
      { policyInfo: { PolicyName: 'photos', Policy: POLICY } },
    ]);
    expect(await mc('admin', 'policy', 'attach', 'store', 'photos', '--user', 'bob')).toContain('[photos]');
    expect(await mc('ls', 'as-bob/photos')).toContain('cat.txt');
    expect(await refusal('ls', 'as-bob/other')).toContain('Access Denied');
    expect(await mc('admin', 'policy', 'entities', 'store', '--policy', 'photos')).toContain('bob');
    expect(await refusal('admin', 'policy', 'rm', 'store', 'photos')).toContain('attached');
    expect(await mc('admin', 'policy', 'detach', 'store', 'photos', '--user', 'bob')).toContain('[photos]');
    expect(await refusal('ls', 'as-bob/photos')).toContain('Access Denied');
    expect(await mc('admin', 'policy', 'rm', 'store', 'photos')).toContain('Removed policy `photos` successfully');
  });

  it('manages groups', async () => {
    await addUser('carol');
    await aliasOf('carol');
    expect(await mc('admin', 'group', 'add', 'store', 'viewers', 'carol')).toContain('viewers');
    await mc('admin', 'policy', 'attach', 'store', 'readonly', '--group', 'viewers');
    expect(await mc('ls', 'as-carol/photos')).toContain('cat.txt');
    expect(await mc('admin', 'group', 'ls', 'store')).toContain('viewers');
    expect(await json('admin', 'group', 'info', 'store', 'viewers')).toMatchObject([
      { groupName: 'viewers', groupStatus: 'enabled', members: ['carol'], groupPolicy: 'readonly' },
    ]);
    await mc('admin', 'group', 'disable', 'store', 'viewers');
    expect(await refusal('ls', 'as-carol/photos')).toContain('Access Denied');
    await mc('admin', 'group', 'enable', 'store', 'viewers');
    expect(await refusal('admin', 'group', 'rm', 'store', 'viewers')).toContain('not empty');
    await mc('admin', 'group', 'rm', 'store', 'viewers', 'carol');
    expect(await mc('admin', 'group', 'rm', 'store', 'viewers')).toContain('viewers');
  });

  it('manages access keys', async () => {
    await addUser('dave');
    await mc('admin', 'policy', 'attach', 'store', 'readwrite', '--user', 'dave');
    const created = await json(
      ...[
        'admin',
        'accesskey',
        'create',
        'store',
        'dave',
        '--access-key',
        'dave-key',
        '--secret-key',
        'dave-key-secret',
      ],
      ...['--policy', policyFile, '--name', 'viewer', '--description', 'looks at photos', '--expiry-duration', '24h'],
    );
    expect(created).toMatchObject([{ status: 'success', accessKey: 'dave-key', secretKey: 'dave-key-secret' }]);
    await aliasOf('dave-key', 'dave-key-secret');
    expect(await mc('ls', 'as-dave-key/photos')).toContain('cat.txt');
    expect(await refusal('ls', 'as-dave-key/other')).toContain('Access Denied');
    expect(await json('admin', 'accesskey', 'info', 'store', 'dave-key')).toMatchObject([
      { accessKey: 'dave-key', parentUser: 'dave', accountStatus: 'on', policy: POLICY, name: 'viewer' },
    ]);
    expect(await mc('admin', 'accesskey', 'ls', 'store', '--all')).toMatch(/dave[\s\S]*dave-key, expires: /);
    await mc('admin', 'accesskey', 'edit', 'store', 'dave-key', '--name', 'renamed', '--secret-key', 'another-secret');
    expect(await json('admin', 'accesskey', 'info', 'store', 'dave-key')).toMatchObject([{ name: 'renamed' }]);
    await aliasOf('dave-key', 'another-secret');
    await mc('admin', 'accesskey', 'disable', 'store', 'dave-key');
    expect(await refusal('ls', 'as-dave-key/photos')).toContain('does not exist in our records');
    await mc('admin', 'accesskey', 'enable', 'store', 'dave-key');
    expect(await mc('ls', 'as-dave-key/photos')).toContain('cat.txt');
    expect(await mc('admin', 'accesskey', 'rm', 'store', 'dave-key')).toContain('Successfully removed');
    expect(await refusal('admin', 'accesskey', 'info', 'store', 'dave-key')).toContain('does not exist');
  });

  it('manages service accounts under their older name', async () => {
    await addUser('erin');
    const added = await json('admin', 'user', 'svcacct', 'add', 'store', 'erin', '--access-key', 'erin-key');
    expect(added).toMatchObject([{ accessKey: 'erin-key', secretKey: expect.stringMatching(/^.{40}$/) as unknown }]);
    expect(await json('admin', 'user', 'svcacct', 'ls', 'store', 'erin')).toMatchObject([{ accessKey: 'erin-key' }]);
    await mc('admin', 'user', 'svcacct', 'disable', 'store', 'erin-key');
    expect(await json('admin', 'user', 'svcacct', 'info', 'store', 'erin-key')).toMatchObject([
      { accessKey: 'erin-key', parentUser: 'erin', accountStatus: 'off', impliedPolicy: true },
    ]);
    await mc('admin', 'user', 'svcacct', 'rm', 'store', 'erin-key');
    expect(await refusal('admin', 'user', 'svcacct', 'info', 'store', 'erin-key')).toContain('does not exist');
  });

  it('works with temporary credentials, and ends them', async () => {
    await addUser('fred');
    await mc('admin', 'policy', 'attach', 'store', 'readwrite', '--user', 'fred');
    const credentials = { accessKeyId: 'fred', secretAccessKey: 'secret-of-fred' };
    const sts = new STSClient({ endpoint: server.endpoint, region: 'us-east-1', credentials });
    const { Credentials: issued } = await sts.send(
      new AssumeRoleCommand({
        RoleArn: 'arn:aws:iam:::role/any',
        RoleSessionName: 'mc',
        Policy: JSON.stringify(POLICY),
      }),
    );
    const id = issued?.AccessKeyId ?? '';
    const env = {
      MC_HOST_temporary: server.endpoint.replace(
        '://',
        `://${id}:${issued?.SecretAccessKey ?? ''}:${issued?.SessionToken ?? ''}@`,
      ),
    };
    expect(await client.run(['ls', 'temporary/photos'], env)).toContain('cat.txt');
    await expect(client.run(['ls', 'temporary/other'], env)).rejects.toThrow();
    const shared = await client.run(['share', 'download', 'temporary/photos/cat.txt'], env);
    const url = /Share: (\S+)/.exec(shared)?.[1] ?? '';
    expect(url).toContain('X-Amz-Security-Token=');
    expect(await (await fetch(url)).text()).toContain('a cat');
    expect(await mc('admin', 'accesskey', 'ls', 'store', 'fred')).toContain(`${id}, expires: `);
    expect(await json('admin', 'user', 'sts', 'info', 'store', id)).toMatchObject([{ parentUser: 'fred' }]);
    await mc('admin', 'accesskey', 'sts-revoke', 'store', 'fred', '--all');
    await expect(client.run(['ls', 'temporary/photos'], env)).rejects.toThrow();
    expect((await fetch(url)).status).toBe(403);
  });
});
