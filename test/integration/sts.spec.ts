import { createHmac } from 'node:crypto';
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import {
  AssumeRoleCommand,
  type AssumeRoleCommandInput,
  AssumeRoleWithWebIdentityCommand,
  GetAccessKeyInfoCommand,
  GetCallerIdentityCommand,
  GetSessionTokenCommand,
  STSClient,
} from '@aws-sdk/client-sts';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { Client } from 'pg';
import { createTestUser } from '../support/admin-caller';
import { eventually } from '../support/eventually';
import { MadminClient } from '../support/madmin-client';
import { TestServer } from '../support/server';

const BUCKET = 'shared';
const ROLE = 'arn:aws:iam::000000000000:role/any';

interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

const keyOf = (name: string): Credentials => ({
  accessKeyId: `key-of-${name}`,
  secretAccessKey: `secret-of-${name}`,
});
const allow = (Action: string | string[], Resource: string | string[]): object => ({
  Effect: 'Allow',
  Action,
  Resource,
});
const policy = (...Statement: object[]): string => JSON.stringify({ Version: '2012-10-17', Statement });

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'ok';
  } catch (error) {
    const failure = error as { name: string; Code?: string };
    return failure.Code ?? failure.name;
  }
}

describe('the Security Token Service', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await TestServer.start({ workers: 2, env: { STRONGROOM_DATA_KEY_CACHE_SIZE: '0' } });
    await server.s3().send(new CreateBucketCommand({ Bucket: BUCKET }));
    for (const key of ['in/1', 'out/1']) {
      await server.s3().send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: key }));
    }
    await createTestUser(server, 'alice', 'readwrite');
  });
  afterAll(() => server.stop());

  const sts = (credentials: Credentials): STSClient =>
    new STSClient({ endpoint: server.endpoint, region: 'eu-central-1', credentials, maxAttempts: 1 });
  const s3 = (credentials: Credentials): S3Client => server.s3({ credentials });
  const root = (): Credentials => server;

  async function assume(by: Credentials, input: Partial<AssumeRoleCommandInput> = {}): Promise<Credentials> {
    const command = new AssumeRoleCommand({ RoleArn: ROLE, RoleSessionName: 'job-1', ...input });
    return credentialsOf((await sts(by).send(command)).Credentials);
  }
  const get = (by: Credentials, Key: string): Promise<string> =>
    codeOf(s3(by).send(new GetObjectCommand({ Bucket: BUCKET, Key })));
  const put = (by: Credentials, Key: string, more: object = {}): Promise<string> =>
    codeOf(s3(by).send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: 'x', ...more })));
  const query = (parameters: Record<string, string>): Promise<Response> =>
    fetch(server.endpoint, { method: 'POST', body: new URLSearchParams(parameters) });
  async function inDatabase(text: string, ...values: unknown[]): Promise<void> {
    const client = new Client({ connectionString: server.databaseUrl });
    await client.connect();
    await client.query(text, values);
    await client.end();
  }

  describe('AssumeRole', () => {
    it('answers as AWS does, and the session is its parent', async () => {
      const answer = await sts(keyOf('alice')).send(
        new AssumeRoleCommand({ RoleArn: ROLE, RoleSessionName: 'job-1', DurationSeconds: 900 }),
      );
      expect(answer.AssumedRoleUser?.Arn).toBe('arn:aws:sts::000000000000:assumed-role/alice/job-1');
      expect(answer.AssumedRoleUser?.AssumedRoleId).toMatch(/^[0-9a-f]{64}:job-1$/);
      expect(answer.Credentials?.AccessKeyId).toMatch(/^ASIA[A-Z2-7]{16}$/);
      const left = (answer.Credentials?.Expiration?.getTime() ?? 0) - Date.now();
      expect(left).toBeGreaterThan(800_000);
      expect(left).toBeLessThanOrEqual(900_000);
      const session = credentialsOf(answer.Credentials);
      expect(await put(session, 'in/2')).toBe('ok');
      expect(await sts(session).send(new GetCallerIdentityCommand({}))).toMatchObject({
        Account: '000000000000',
        Arn: 'arn:aws:sts::000000000000:assumed-role/alice/job-1',
      });
    });

    it('narrows by the session policy, and never adds', async () => {
      const session = await assume(keyOf('alice'), {
        Policy: policy(allow('s3:GetObject', `arn:aws:s3:::${BUCKET}/in/*`), allow(['admin:*', 'kms:*'], '*')),
      });
      expect(await get(session, 'in/1')).toBe('ok');
      expect(await get(session, 'out/1')).toBe('AccessDenied');
      expect(await put(session, 'in/3')).toBe('AccessDenied');
      const users = await new MadminClient(
        server.endpoint,
        session.accessKeyId,
        session.secretAccessKey,
        0,
        session.sessionToken,
      ).call('GET', '/api/v1/users');
      expect(users.status).toBe(403);
    });

    it('narrows by stored policies, of which one has to allow', async () => {
      const session = await assume(keyOf('alice'), {
        PolicyArns: [{ arn: 'arn:aws:iam::aws:policy/readonly' }],
        Policy: policy(allow('s3:PutObject', `arn:aws:s3:::${BUCKET}/in/*`), allow('kms:*', '*')),
      });
      expect(await get(session, 'out/1')).toBe('ok');
      expect(await put(session, 'in/4')).toBe('ok');
      expect(await put(session, 'out/4')).toBe('AccessDenied');
      expect(await codeOf(assume(keyOf('alice'), { PolicyArns: [{ arn: 'arn:aws:iam:::policy/none' }] }))).toBe(
        'ValidationError',
      );
    });

    it('only narrows further from session to session', async () => {
      const first = await assume(keyOf('alice'), {
        Policy: policy(allow(['s3:GetObject', 's3:PutObject'], `arn:aws:s3:::${BUCKET}/in/*`), allow('kms:*', '*')),
      });
      const second = await assume(first, { Policy: policy(allow('s3:GetObject', '*'), allow('kms:*', '*')) });
      const third = await assume(second, { Policy: policy(allow('*', '*')) });
      expect([await get(third, 'in/1'), await get(third, 'out/1'), await put(third, 'in/5')]).toEqual([
        'ok',
        'AccessDenied',
        'AccessDenied',
      ]);
      expect(await codeOf(assume(first, { DurationSeconds: 7200 }))).toBe('ValidationError');
      expect(await codeOf(sts(first).send(new GetSessionTokenCommand({})))).toBe('AccessDenied');
    });

    it('lets root go on as less than root', async () => {
      const session = await assume(root(), { Policy: policy(allow('s3:GetObject', '*')) });
      expect(await get(session, 'in/1')).toBe('ok');
      expect(await put(session, 'in/6')).toBe('AccessDenied');
      expect(await put(await assume(root()), 'in/6')).toBe('ok');
    });

    it('is refused to whom a policy denies it', async () => {
      await createTestUser(server, 'denied', [
        { Effect: 'Allow', Action: 's3:*', Resource: 'arn:aws:s3:::*' },
        { Effect: 'Deny', Action: 'sts:AssumeRole', Resource: '*' },
      ]);
      expect(await codeOf(assume(keyOf('denied')))).toBe('AccessDenied');
    });

    it('says which parameter is wrong', async () => {
      expect(await codeOf(assume(keyOf('alice'), { DurationSeconds: 899 }))).toBe('ValidationError');
      expect(await codeOf(assume(keyOf('alice'), { DurationSeconds: 43201 }))).toBe('ValidationError');
      expect(await codeOf(assume(keyOf('alice'), { RoleSessionName: 'a b' }))).toBe('ValidationError');
      expect(await codeOf(assume(keyOf('alice'), { Tags: [{ Key: 'a', Value: 'b' }] }))).toBe('ValidationError');
      expect(await codeOf(assume(keyOf('alice'), { Policy: '{"Statement":[]}' }))).toBe('MalformedPolicyDocument');
    });
  });

  it('keeps KMS permissions of the session policy on the data path', async () => {
    await server.admin('POST', '/rustfs/admin/v3/kms/key/create?key-id=blue');
    await server.admin('POST', '/rustfs/admin/v3/kms/key/create?key-id=red');
    const under = (key: string): object => ({ ServerSideEncryption: 'aws:kms', SSEKMSKeyId: key });
    const session = await assume(keyOf('alice'), {
      Policy: policy(allow('s3:*', '*'), allow(['kms:GenerateDataKey', 'kms:Decrypt'], 'arn:aws:kms:::key/blue')),
    });
    expect(await put(session, 'blue', under('blue'))).toBe('ok');
    expect(await put(session, 'red', under('red'))).toBe('AccessDenied');
    expect(await put(keyOf('alice'), 'red', under('red'))).toBe('ok');
    expect([await get(session, 'blue'), await get(session, 'red')]).toEqual(['ok', 'AccessDenied']);
  });

  it('judges a session by its parent’s name and by what is the session’s own', async () => {
    await createTestUser(server, 'carol', [
      allow('s3:PutObject', `arn:aws:s3:::${BUCKET}/home/\${aws:username}/*`),
      allow('kms:*', '*'),
      {
        ...allow('s3:PutObject', `arn:aws:s3:::${BUCKET}/jobs/*`),
        Condition: { StringEquals: { 'sts:RoleSessionName': 'job-1' }, Null: { 'aws:TokenIssueTime': 'false' } },
      },
      {
        Effect: 'Deny',
        Action: 's3:PutObject',
        Resource: `arn:aws:s3:::${BUCKET}/home/carol/locked`,
        Condition: { ArnLike: { 'aws:PrincipalArn': 'arn:aws:iam::000000000000:user/carol' } },
      },
    ]);
    const session = await assume(keyOf('carol'));
    expect(await put(session, 'home/carol/a')).toBe('ok');
    expect(await put(session, 'home/alice/a')).toBe('AccessDenied');
    expect(await put(session, 'home/carol/locked')).toBe('AccessDenied');
    expect(await put(session, 'jobs/a')).toBe('ok');
    expect(await put(keyOf('carol'), 'jobs/a')).toBe('AccessDenied');
    expect(await put(await assume(keyOf('carol'), { RoleSessionName: 'job-2' }), 'jobs/a')).toBe('AccessDenied');
  });

  describe('a token', () => {
    it('has to be there and right', async () => {
      const session = await assume(keyOf('alice'));
      const other = await assume(keyOf('alice'));
      const { sessionToken, ...without } = session;
      expect(await get(without, 'in/1')).toBe('InvalidAccessKeyId');
      expect(await get({ ...session, sessionToken: other.sessionToken }, 'in/1')).toBe('InvalidToken');
      expect(await get({ ...keyOf('alice'), sessionToken }, 'in/1')).toBe('InvalidToken');
      expect(await get({ ...session, secretAccessKey: other.secretAccessKey }, 'in/1')).toBe('SignatureDoesNotMatch');
      expect(await codeOf(sts(without).send(new GetCallerIdentityCommand({})))).toBe('InvalidClientTokenId');
      const basic = Buffer.from(`${session.accessKeyId}:${session.secretAccessKey}`).toString('base64');
      const whoami = await fetch(`${server.endpoint}/api/v1/whoami`, { headers: { authorization: `Basic ${basic}` } });
      expect(whoami.status).toBe(401);
    });

    it('has to be signed', async () => {
      const session = await assume(keyOf('alice'));
      const { sessionToken, ...without } = session;
      const url = await getSignedUrl(s3(without), new GetObjectCommand({ Bucket: BUCKET, Key: 'in/1' }));
      const appended = await fetch(`${url}&X-Amz-Security-Token=${sessionToken}`);
      expect([appended.status, await appended.text()]).toEqual([403, expect.stringContaining('SignatureDoesNotMatch')]);
      const header = await fetch(url, { headers: { 'x-amz-security-token': sessionToken ?? '' } });
      expect([header.status, await header.text()]).toEqual([403, expect.stringContaining('HeadersNotSigned')]);
    });

    it('serves presigned URLs of both versions of signatures', async () => {
      const session = await assume(keyOf('alice'));
      const url = await getSignedUrl(s3(session), new GetObjectCommand({ Bucket: BUCKET, Key: 'in/1' }));
      expect(url).toContain('X-Amz-Security-Token=');
      expect(await (await fetch(url)).text()).toBe('in/1');
      expect(await fetchLegacy(session, `/${BUCKET}/in/1`)).toBe('200 in/1');
      expect(await fetchLegacy({ ...session, sessionToken: 'x' }, `/${BUCKET}/in/1`)).toContain('InvalidToken');
    });

    it('serves browser forms', async () => {
      const session = await assume(keyOf('alice'));
      expect(await postForm(session, 'form-1', session.sessionToken)).toBe('204 ');
      expect(await postForm(session, 'form-2', undefined)).toContain('InvalidAccessKeyId');
      expect(await postForm(session, 'form-2', 'x')).toContain('InvalidToken');
    });

    it('opens the admin API, for what the session may do', async () => {
      await createTestUser(server, 'operator', 'consoleAdmin');
      const session = await assume(keyOf('operator'));
      const client = new MadminClient(
        server.endpoint,
        session.accessKeyId,
        session.secretAccessKey,
        0,
        session.sessionToken,
      );
      const answer = await client.call('GET', '/minio/admin/v3/get-config-kv?key=kms_vault');
      expect(answer).toMatchObject({ status: 200, encrypted: true });
      expect(answer.text).toContain('kms_vault');
      const wrong = new MadminClient(server.endpoint, session.accessKeyId, session.secretAccessKey, 0, 'x');
      expect(await wrong.call('GET', '/api/v1/whoami')).toMatchObject({ status: 400 });
    });

    it('expires, which every face says', async () => {
      const session = await assume(keyOf('alice'));
      await inDatabase(
        `UPDATE sts_session SET expires_at = now() - interval '1 second' WHERE access_key_id = $1`,
        session.accessKeyId,
      );
      expect(await get(session, 'in/1')).toBe('ExpiredToken');
      expect(await codeOf(sts(session).send(new GetCallerIdentityCommand({})))).toBe('ExpiredToken');
      const url = await getSignedUrl(s3(session), new GetObjectCommand({ Bucket: BUCKET, Key: 'in/1' }));
      expect((await fetch(url)).status).toBe(400);
      expect(await get({ ...session, sessionToken: 'x' }, 'in/1')).toBe('InvalidToken');
    });
  });

  describe('ends a session with what it came from', () => {
    const revoked = (session: Credentials): Promise<void> =>
      eventually(async () => expect(await get(session, 'in/1')).toBe('InvalidAccessKeyId'));

    it('when the user is disabled, until it is enabled again', async () => {
      await createTestUser(server, 'dave', 'readwrite');
      const session = await assume(await assume(keyOf('dave')));
      expect(await get(session, 'in/1')).toBe('ok');
      await server.admin('PATCH', '/api/v1/users/dave', { status: 'disabled' });
      await revoked(session);
      await server.admin('PATCH', '/api/v1/users/dave', { status: 'enabled' });
      await eventually(async () => expect(await get(session, 'in/1')).toBe('ok'));
    });

    it('when the user is deleted', async () => {
      await createTestUser(server, 'erin', 'readwrite');
      const session = await assume(keyOf('erin'));
      expect(await get(session, 'in/1')).toBe('ok');
      await server.admin('DELETE', '/api/v1/users/erin');
      await revoked(session);
    });

    it('when the access key is deleted, disabled or gets another secret', async () => {
      await createTestUser(server, 'frank', 'readwrite');
      const change = (id: string, body: object): Promise<unknown> =>
        server.admin('PATCH', `/api/v1/access-keys/${id}`, body);
      const session = await assume(keyOf('frank'));
      expect(await get(session, 'in/1')).toBe('ok');
      await change('key-of-frank', { status: 'disabled' });
      await revoked(session);
      await change('key-of-frank', { status: 'enabled' });
      await eventually(async () => expect(await get(session, 'in/1')).toBe('ok'));
      await change('key-of-frank', { secretKey: 'another-secret' });
      await revoked(session);
      const second = await assume({ accessKeyId: 'key-of-frank', secretAccessKey: 'another-secret' });
      expect(await get(second, 'in/1')).toBe('ok');
      await server.admin('DELETE', '/api/v1/access-keys/key-of-frank');
      await revoked(second);
    });

    it('and narrows it with the policy of the access key', async () => {
      await server.admin('POST', '/api/v1/access-keys', {
        userName: 'alice',
        accessKeyId: 'narrow-key',
        secretKey: 'narrow-secret',
        sessionPolicy: JSON.parse(policy(allow('s3:GetObject', '*'), allow('kms:*', '*'))) as object,
      });
      const session = await assume({ accessKeyId: 'narrow-key', secretAccessKey: 'narrow-secret' });
      expect([await get(session, 'in/1'), await put(session, 'in/7')]).toEqual(['ok', 'AccessDenied']);
    });
  });

  it('gives session tokens that may do all that their parent may', async () => {
    const answer = await sts(keyOf('alice')).send(new GetSessionTokenCommand({}));
    const session = credentialsOf(answer.Credentials);
    expect(await put(session, 'in/8')).toBe('ok');
    const { Arn } = await sts(session).send(new GetCallerIdentityCommand({}));
    expect(Arn).toBe('arn:aws:iam::000000000000:user/alice');
    const ofRoot = await sts(root()).send(new GetSessionTokenCommand({ DurationSeconds: 43_200 }));
    expect((ofRoot.Credentials?.Expiration?.getTime() ?? Infinity) - Date.now()).toBeLessThanOrEqual(3_600_000);
  });

  it('tells callers and keys', async () => {
    expect(await sts(root()).send(new GetCallerIdentityCommand({}))).toMatchObject({
      Arn: 'arn:aws:iam::000000000000:root',
      UserId: '000000000000',
    });
    const info = await sts(keyOf('alice')).send(new GetAccessKeyInfoCommand({ AccessKeyId: 'AKIAEXAMPLEEXAMPLE22' }));
    expect(info.Account).toBe('000000000000');
  });

  it('refuses what it does not know or cannot do, in its own words', async () => {
    const anonymous = await query({ Action: 'GetCallerIdentity', Version: '2011-06-15' });
    expect(anonymous.status).toBe(403);
    expect(anonymous.headers.get('content-type')).toBe('text/xml');
    expect(await anonymous.text()).toMatch(
      /^<\?xml .*<ErrorResponse xmlns="https:\/\/sts\.amazonaws\.com\/doc\/2011-06-15\/"><Error><Type>Sender<\/Type><Code>MissingAuthenticationToken<\/Code><Message>.*<\/Message><\/Error><RequestId>[0-9A-F]{16}<\/RequestId><\/ErrorResponse>$/s,
    );
    const unknown = await query({ Action: 'DecodeAuthorizationMessage', Version: '2011-06-15' });
    expect([unknown.status, await unknown.text()]).toEqual([
      400,
      expect.stringContaining('<Code>InvalidAction</Code>'),
    ]);
    const iam = await query({ Action: 'ListUsers', Version: '2010-05-08' });
    expect([iam.status, await iam.text()]).toEqual([501, expect.stringContaining('admin API')]);
    const old = await query({ Action: 'AssumeRole', Version: '2010-01-01' });
    expect(await old.text()).toContain('InvalidAction');
    const web = sts(keyOf('alice')).send(
      new AssumeRoleWithWebIdentityCommand({ RoleArn: ROLE, RoleSessionName: 'job-1', WebIdentityToken: 'a.b.c.d' }),
    );
    expect(await codeOf(web)).toBe('NotImplemented');
    const large = await query({ Action: 'AssumeRole', Version: '2011-06-15', Policy: 'x'.repeat(70_000) });
    expect([large.status, await large.text()]).toEqual([400, expect.stringContaining('MalformedInput')]);
    const wrong = { ...keyOf('alice'), secretAccessKey: 'not-the-secret' };
    expect(await codeOf(assume(wrong))).toBe('SignatureDoesNotMatch');
    expect(await codeOf(assume({ accessKeyId: 'nobody', secretAccessKey: 'nothing-at-all' }))).toBe(
      'InvalidClientTokenId',
    );
  });

  it('records who got credentials, and shows no secret anywhere', async () => {
    const session = await assume(keyOf('alice'), { RoleSessionName: 'recorded' });
    const { body } = await server.admin<{ records: Record<string, unknown>[] }>(
      'GET',
      '/api/v1/audit?operation=StsAssumeRole&limit=50',
    );
    expect(body.records).toContainEqual(
      expect.objectContaining({
        principal: 'alice',
        outcome: 'success',
        details: expect.objectContaining({ issuedKeyId: session.accessKeyId, sessionName: 'recorded' }) as unknown,
      }),
    );
    expect(body.records).toContainEqual(expect.objectContaining({ principal: 'denied', outcome: 'denied' }));
    for (const text of [JSON.stringify(body), server.output]) {
      expect(text).not.toContain(session.secretAccessKey);
      expect(text).not.toContain(session.sessionToken);
    }
  });

  async function fetchLegacy(by: Credentials, path: string): Promise<string> {
    const expires = String(Math.floor(Date.now() / 1000) + 60);
    const token = by.sessionToken ?? '';
    const text = `GET\n\n\n${expires}\nx-amz-security-token:${token}\n${path}`;
    const signature = createHmac('sha1', by.secretAccessKey).update(text).digest('base64');
    const parameters = new URLSearchParams({
      AWSAccessKeyId: by.accessKeyId,
      Expires: expires,
      Signature: signature,
      'x-amz-security-token': token,
    });
    const response = await fetch(`${server.endpoint}${path}?${parameters.toString()}`);
    return `${response.status} ${await response.text()}`;
  }

  async function postForm(by: Credentials, key: string, token: string | undefined): Promise<string> {
    const conditions = [{ bucket: BUCKET }, { key }];
    const document = JSON.stringify({ expiration: new Date(Date.now() + 60_000).toISOString(), conditions });
    const encoded = Buffer.from(document).toString('base64');
    const form = new FormData();
    form.set('key', key);
    form.set('AWSAccessKeyId', by.accessKeyId);
    form.set('policy', encoded);
    form.set('signature', createHmac('sha1', by.secretAccessKey).update(encoded).digest('base64'));
    if (token !== undefined) {
      form.set('x-amz-security-token', token);
    }
    form.set('file', new Blob(['form']));
    const response = await fetch(`${server.endpoint}/${BUCKET}`, { method: 'POST', body: form });
    return `${response.status} ${await response.text()}`;
  }
});

function credentialsOf(
  issued: { AccessKeyId?: string; SecretAccessKey?: string; SessionToken?: string } | undefined,
): Credentials {
  return {
    accessKeyId: issued?.AccessKeyId ?? '',
    secretAccessKey: issued?.SecretAccessKey ?? '',
    sessionToken: issued?.SessionToken ?? '',
  };
}
