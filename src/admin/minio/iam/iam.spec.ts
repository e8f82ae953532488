import type { AddressInfo } from 'node:net';
import { type AdminApp, ROOT_PASSWORD, ROOT_USER, startAdminApp } from '../../../../test/support/admin-app';
import { MadminClient, type MadminAnswer } from '../../../../test/support/madmin-client';
import { SessionService } from '../../../identity/session.service';

const PREFIX = '/minio/admin/v3';
const READ_PHOTOS = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: ['s3:GetObject'], Resource: ['arn:aws:s3:::photos/*'] }],
};

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly encrypted: boolean;
}

describe('identity routes of MinIO', () => {
  let app: AdminApp;
  let endpoint: string;
  let root: MadminClient;

  beforeAll(async () => {
    app = await startAdminApp();
    endpoint = `http://127.0.0.1:${(app.app.getHttpServer() as { address(): AddressInfo }).address().port}`;
    root = new MadminClient(endpoint, ROOT_USER, ROOT_PASSWORD, 2);
  });
  afterAll(() => app.close());

  const as = (name: string, secret = `secret-of-${name}`): MadminClient => new MadminClient(endpoint, name, secret, 2);
  async function call(client: MadminClient, method: string, path: string, body?: object): Promise<Answer> {
    const plain = path.startsWith('/update-group-members') || path.startsWith('/add-canned-policy');
    const text = body === undefined ? undefined : JSON.stringify(body);
    const answer: MadminAnswer =
      plain && text !== undefined
        ? await client.send(method, `${PREFIX}${path}`, Buffer.from(text))
        : await client.call(method, `${PREFIX}${path}`, text);
    return {
      status: answer.status,
      body: answer.text === '' ? undefined : (JSON.parse(answer.text) as unknown),
      encrypted: answer.encrypted,
    };
  }
  const addUser = async (name: string, more: object = {}): Promise<void> => {
    const body = { secretKey: `secret-of-${name}`, status: 'enabled', ...more };
    expect(await call(root, 'PUT', `/add-user?accessKey=${name}`, body)).toMatchObject({ status: 200 });
  };
  const refusal = (status: number, Code: string): object => ({
    status,
    body: expect.objectContaining({ Code }) as unknown,
  });

  describe('users', () => {
    it('come, are shown, change and go', async () => {
      await addUser('ann', { policy: 'readonly' });
      const ann = { status: 'enabled', policyName: 'readonly', userAuthInfo: { type: 'builtin' }, memberOf: [] };
      const listed = await call(root, 'GET', '/list-users');
      expect(listed).toMatchObject({ status: 200, encrypted: true, body: { ann } });
      const info = await call(root, 'GET', '/user-info?accessKey=ann');
      expect(info).toMatchObject({ status: 200, encrypted: false, body: ann });
      expect(JSON.stringify([listed.body, info.body])).not.toContain('secret-of-ann');
      expect(await call(as('ann'), 'GET', '/user-info?accessKey=ann')).toMatchObject({ status: 200 });
      await call(root, 'PUT', '/set-user-status?accessKey=ann&status=disabled');
      expect(await call(as('ann'), 'GET', '/accountinfo')).toMatchObject({ status: 403 });
      await call(root, 'PUT', '/set-user-status?accessKey=ann&status=enabled');
      await addUser('ann', { secretKey: 'another-secret' });
      expect(await call(as('ann', 'another-secret'), 'GET', '/accountinfo')).toMatchObject({ status: 200 });
      expect(await call(as('ann'), 'GET', '/accountinfo')).toMatchObject({ status: 403 });
      expect(await call(root, 'DELETE', '/remove-user?accessKey=ann')).toMatchObject({ status: 200 });
      expect(await call(root, 'GET', '/user-info?accessKey=ann')).toMatchObject(refusal(404, 'XMinioAdminNoSuchUser'));
    });

    it('change their own secret, and nothing else of themselves', async () => {
      await addUser('bea');
      const change = (body: object): Promise<Answer> => call(as('bea'), 'PUT', '/add-user?accessKey=bea', body);
      expect(await change({ secretKey: 'secret-of-bea', policy: 'consoleAdmin' })).toMatchObject({ status: 403 });
      expect(await call(as('bea'), 'PUT', '/add-user?accessKey=other', { secretKey: 'other-secret' })).toMatchObject(
        refusal(403, 'AccessDenied'),
      );
      expect(await call(as('bea'), 'GET', '/user-info?accessKey=ann')).toMatchObject({ status: 403 });
      expect(await change({ secretKey: 'own-new-secret' })).toMatchObject({ status: 200 });
      expect(await call(as('bea', 'own-new-secret'), 'GET', '/user-info?accessKey=bea')).toMatchObject({ status: 200 });
    });

    it('are refused where nothing would come of them', async () => {
      const add = (name: string, body: object): Promise<Answer> =>
        call(root, 'PUT', `/add-user?accessKey=${name}`, body);
      expect(await add('carl', { secretKey: 'short' })).toMatchObject(refusal(400, 'XMinioAdminInvalidArgument'));
      expect(await add('carl', {})).toMatchObject(refusal(400, 'XMinioAdminInvalidArgument'));
      expect(await add(ROOT_USER, { secretKey: 'long-enough' })).toMatchObject(
        refusal(403, 'XMinioIAMActionNotAllowed'),
      );
      expect(await call(root, 'GET', '/user-info?accessKey=carl')).toMatchObject({ status: 404 });
      expect(await call(root, 'DELETE', `/remove-user?accessKey=${ROOT_USER}`)).toMatchObject({ status: 403 });
      const garbage = await root.send('PUT', `${PREFIX}/add-user?accessKey=carl`, Buffer.from('garbage'));
      expect(garbage.status).toBe(400);
    });
  });

  describe('policies', () => {
    it('come, are attached, are shown and go', async () => {
      await addUser('dora');
      expect(await call(root, 'PUT', '/add-canned-policy?name=photos', READ_PHOTOS)).toMatchObject({ status: 200 });
      expect((await call(root, 'GET', '/list-canned-policies')).body).toMatchObject({ photos: READ_PHOTOS });
      expect((await call(root, 'GET', '/info-canned-policy?name=photos')).body).toEqual(READ_PHOTOS);
      expect((await call(root, 'GET', '/info-canned-policy?name=photos&v=2')).body).toMatchObject({
        PolicyName: 'photos',
        Policy: READ_PHOTOS,
        CreateDate: expect.stringMatching(/^\d{4}-/) as unknown,
      });
      const body = { policies: ['photos', 'readonly'], user: 'dora' };
      const attached = await call(root, 'POST', '/idp/builtin/policy/attach', body);
      expect(attached).toMatchObject({ status: 200, encrypted: true, body: { policiesAttached: body.policies } });
      expect(await call(root, 'POST', '/idp/builtin/policy/attach', body)).toMatchObject(
        refusal(400, 'XMinioAdminPolicyChangeAlreadyApplied'),
      );
      expect(await call(root, 'DELETE', '/remove-canned-policy?name=photos')).toMatchObject(
        refusal(409, 'XMinioIAMPolicyInUse'),
      );
      const entities = await call(root, 'GET', '/idp/builtin/policy-entities?policy=photos');
      expect(entities.body).toMatchObject({ policyMappings: [{ policy: 'photos', users: ['dora'], groups: [] }] });
      const all = await call(root, 'GET', '/idp/builtin/policy-entities');
      expect(all.body).toMatchObject({
        userMappings: expect.arrayContaining([{ user: 'dora', policies: ['photos', 'readonly'] }]) as unknown,
      });
      const detached = await call(root, 'POST', '/idp/builtin/policy/detach', { policies: ['photos'], user: 'dora' });
      expect(detached.body).toMatchObject({ policiesDetached: ['photos'] });
      await call(root, 'PUT', '/set-user-or-group-policy?policyName=writeonly&userOrGroup=dora&isGroup=false');
      expect((await call(root, 'GET', '/user-info?accessKey=dora')).body).toMatchObject({ policyName: 'writeonly' });
      expect(await call(root, 'DELETE', '/remove-canned-policy?name=photos')).toMatchObject({ status: 200 });
    });

    it('are refused with MinIO’s codes, and nothing is attached by halves', async () => {
      await addUser('eve');
      expect(await call(root, 'GET', '/info-canned-policy?name=none')).toMatchObject(
        refusal(404, 'XMinioAdminNoSuchPolicy'),
      );
      expect(await call(root, 'PUT', '/add-canned-policy?name=bad', { Statement: [] })).toMatchObject(
        refusal(400, 'XMinioMalformedIAMPolicy'),
      );
      expect(
        await call(root, 'POST', '/idp/builtin/policy/attach', { policies: ['readonly', 'none'], user: 'eve' }),
      ).toMatchObject(refusal(404, 'XMinioAdminNoSuchPolicy'));
      expect((await call(root, 'GET', '/user-info?accessKey=eve')).body).toMatchObject({ policyName: '' });
      expect(
        await call(root, 'POST', '/idp/builtin/policy/attach', { policies: ['readonly'], user: 'nobody' }),
      ).toMatchObject(refusal(404, 'XMinioAdminNoSuchUser'));
      expect(await call(as('eve'), 'GET', '/list-canned-policies')).toMatchObject(refusal(403, 'AccessDenied'));
    });
  });

  it('manages groups', async () => {
    await addUser('fay');
    const update = (body: object): Promise<Answer> => call(root, 'PUT', '/update-group-members', body);
    expect(await update({ group: 'team', members: ['fay'], isRemove: false })).toMatchObject({ status: 200 });
    expect(await update({ group: 'team', members: ['nobody'] })).toMatchObject(refusal(404, 'XMinioAdminNoSuchUser'));
    await call(root, 'POST', '/idp/builtin/policy/attach', { policies: ['readonly'], group: 'team' });
    expect((await call(root, 'GET', '/group?group=team')).body).toMatchObject({
      name: 'team',
      status: 'enabled',
      members: ['fay'],
      policy: 'readonly',
    });
    expect((await call(root, 'GET', '/groups')).body).toEqual(['team']);
    expect((await call(root, 'GET', '/idp/builtin/policy-entities?user=fay')).body).toMatchObject({
      userMappings: [{ user: 'fay', policies: [], memberOfMappings: [{ group: 'team', policies: ['readonly'] }] }],
    });
    await call(root, 'PUT', '/set-group-status?group=team&status=disabled');
    expect((await call(root, 'GET', '/group?group=team')).body).toMatchObject({ status: 'disabled' });
    expect(await update({ group: 'team', members: null, isRemove: true })).toMatchObject(
      refusal(400, 'XMinioAdminGroupNotEmpty'),
    );
    await update({ group: 'team', members: ['fay'], isRemove: true });
    expect(await update({ group: 'team', members: null, isRemove: true })).toMatchObject({ status: 200 });
    expect(await call(root, 'GET', '/group?group=team')).toMatchObject(refusal(404, 'XMinioAdminNoSuchGroup'));
  });

  describe('access keys', () => {
    it('are made, shown, changed and removed', async () => {
      await addUser('gil', { policy: 'readwrite' });
      const expiration = new Date(Date.now() + 3_600_000).toISOString();
      const made = await call(root, 'PUT', '/add-service-account', {
        targetUser: 'gil',
        accessKey: 'gil-key',
        secretKey: 'gil-key-secret',
        name: 'job',
        description: 'nightly',
        policy: READ_PHOTOS,
        expiration,
      });
      expect(made).toMatchObject({
        status: 200,
        encrypted: true,
        body: { credentials: { accessKey: 'gil-key', secretKey: 'gil-key-secret', expiration } },
      });
      const info = await call(root, 'GET', '/info-service-account?accessKey=gil-key');
      expect(info.body).toMatchObject({ parentUser: 'gil', accountStatus: 'on', impliedPolicy: false, name: 'job' });
      expect(JSON.parse((info.body as { policy: string }).policy)).toEqual(READ_PHOTOS);
      expect(
        await call(root, 'POST', '/update-service-account?accessKey=gil-key', {
          newStatus: 'off',
          newPolicy: {},
          newName: 'other',
          newExpiration: '1970-01-01T00:00:00Z',
        }),
      ).toMatchObject({ status: 204 });
      const changed = (await call(root, 'GET', '/info-access-key?accessKey=gil-key')).body;
      expect(changed).toMatchObject({
        AccessKey: 'gil-key',
        accountStatus: 'off',
        impliedPolicy: true,
        name: 'other',
        description: 'nightly',
        expiration: '1970-01-01T00:00:00Z',
        userType: 'Service Account',
        userProvider: 'builtin',
      });
      expect((changed as { policy: string }).policy).toContain('s3:*');
      expect((await call(root, 'GET', '/list-service-accounts?user=gil')).body).toMatchObject({
        accounts: [{ accessKey: 'gil-key', parentUser: 'gil' }],
      });
      expect(await call(root, 'DELETE', '/delete-service-account?accessKey=gil-key')).toMatchObject({ status: 204 });
      expect(await call(root, 'GET', '/info-access-key?accessKey=gil-key')).toMatchObject(
        refusal(404, 'XMinioAdminNoSuchAccessKey'),
      );
      expect(await call(root, 'DELETE', '/delete-service-account?accessKey=gil')).toMatchObject({ status: 404 });
    });

    it('are everybody’s own to manage, unless a policy says no, and nobody else’s', async () => {
      await addUser('hal');
      await addUser('ida');
      const made = await call(as('hal'), 'PUT', '/add-service-account', { accessKey: 'hal-key' });
      expect(made).toMatchObject({ status: 200 });
      const own = (await call(as('hal'), 'GET', '/list-access-keys-bulk?listType=all')).body;
      expect(own).toMatchObject({ hal: { serviceAccounts: [{ accessKey: 'hal-key' }], stsKeys: [] } });
      for (const [method, path, body] of [
        ['PUT', '/add-service-account', { targetUser: 'hal' }],
        ['PUT', '/add-service-account', { targetUser: ROOT_USER }],
        ['GET', '/list-service-accounts?user=hal'],
        ['GET', '/list-access-keys-bulk?listType=all&all=true'],
        ['GET', '/list-access-keys-bulk?listType=all&users=hal'],
        ['GET', '/info-service-account?accessKey=hal-key'],
        ['GET', '/info-access-key?accessKey=does-not-exist'],
        ['DELETE', '/delete-service-account?accessKey=hal-key'],
        ['POST', '/revoke-tokens/builtin?user=hal&fullRevoke=true'],
      ] as const) {
        expect(await call(as('ida'), method, path, body)).toMatchObject(refusal(403, 'AccessDenied'));
      }
      await call(root, 'PUT', '/add-canned-policy?name=no-keys', {
        Version: '2012-10-17',
        Statement: [{ Effect: 'Deny', Action: ['admin:CreateServiceAccount'] }],
      });
      await call(root, 'POST', '/idp/builtin/policy/attach', { policies: ['no-keys'], user: 'hal' });
      expect(await call(as('hal'), 'PUT', '/add-service-account', {})).toMatchObject({ status: 403 });
      expect(await call(as('hal'), 'DELETE', '/delete-service-account?accessKey=hal-key')).toMatchObject({
        status: 204,
      });
    });

    it('do not let a narrowed or temporary credential gain what it does not have', async () => {
      await addUser('joe', { policy: 'readwrite' });
      await call(root, 'PUT', '/add-service-account', {
        targetUser: 'joe',
        accessKey: 'joe-narrow',
        secretKey: 'joe-narrow-secret',
        policy: READ_PHOTOS,
      });
      const narrow = as('joe-narrow', 'joe-narrow-secret');
      expect(await call(narrow, 'PUT', '/add-service-account', {})).toMatchObject({ status: 403 });
      expect(await call(narrow, 'PUT', '/add-user?accessKey=joe', { secretKey: 'stolen-secret' })).toMatchObject({
        status: 403,
      });
      const session = await issue('joe');
      expect(await call(session.client, 'PUT', '/add-service-account', {})).toMatchObject({ status: 403 });
    });

    it('list temporary credentials, show and end them', async () => {
      await addUser('kim', { policy: 'readonly' });
      const first = await issue('kim');
      const second = await issue('kim');
      const listed = (await call(root, 'GET', '/list-access-keys-bulk?listType=sts-only&all=true')).body;
      const ids = (listed as { kim: { stsKeys: { accessKey: string }[] } }).kim.stsKeys.map((key) => key.accessKey);
      expect(ids.sort()).toEqual([first.id, second.id].sort());
      expect((await call(root, 'GET', `/temporary-account-info?accessKey=${first.id}`)).body).toMatchObject({
        parentUser: 'kim',
        impliedPolicy: true,
        accountStatus: 'on',
      });
      expect((await call(first.client, 'GET', `/info-access-key`)).status).toBe(403);
      expect((await call(root, 'GET', `/info-access-key?accessKey=${first.id}`)).body).toMatchObject({
        userType: 'STS',
      });
      expect(await call(first.client, 'GET', '/accountinfo')).toMatchObject({ status: 200 });
      await call(root, 'DELETE', `/delete-service-account?accessKey=${first.id}`);
      expect(await call(first.client, 'GET', '/accountinfo')).toMatchObject(refusal(403, 'InvalidAccessKeyId'));
      expect(await call(second.client, 'GET', '/accountinfo')).toMatchObject({ status: 200 });
      await call(root, 'POST', '/revoke-tokens/builtin?user=kim&tokenRevokeType=&fullRevoke=true');
      expect(await call(second.client, 'GET', '/accountinfo')).toMatchObject(refusal(403, 'InvalidAccessKeyId'));
    });

    async function issue(name: string): Promise<{ readonly id: string; readonly client: MadminClient }> {
      const sessions = app.app.get(SessionService, { strict: false });
      const caller = { kind: 'user', name, accessKeyId: name, ownerId: '' } as const;
      const issued = await sessions.issue({ duration: 900, name: 'test' }, caller);
      const secret = issued.secretKey.reveal();
      const client = new MadminClient(endpoint, issued.accessKeyId, secret, 2, issued.sessionToken.reveal());
      return { id: issued.accessKeyId, client };
    }
  });

  it('tells callers what they may do', async () => {
    await addUser('lea', { policy: 'readonly' });
    const { body } = await call(as('lea'), 'GET', '/accountinfo');
    expect(body).toMatchObject({ AccountName: 'lea', Buckets: [] });
    expect(JSON.stringify((body as { Policy: unknown }).Policy)).toContain('s3:GetObject');
    expect((await call(root, 'GET', '/accountinfo?prefix-usage=true')).body).toMatchObject({ AccountName: ROOT_USER });
  });

  it('takes encrypted bodies for what they are, whatever byte they begin with', async () => {
    const salt = Buffer.concat([Buffer.from('{'), Buffer.alloc(31)]);
    const client = new MadminClient(endpoint, ROOT_USER, ROOT_PASSWORD, 2, undefined, salt);
    expect(await call(client, 'PUT', '/add-user?accessKey=nan', { secretKey: 'secret-of-nan' })).toMatchObject({
      status: 200,
    });
  });

  it('answers the same on RustFS’ paths, in plain JSON', async () => {
    const authorization = `Basic ${Buffer.from(`${ROOT_USER}:${ROOT_PASSWORD}`).toString('base64')}`;
    const fetched = (method: string, path: string, body?: object): Promise<Response> =>
      fetch(`${endpoint}/rustfs/admin/v3${path}`, {
        method,
        headers: { authorization },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    expect((await fetched('PUT', '/add-user?accessKey=max', { secretKey: 'secret-of-max' })).status).toBe(200);
    expect(await (await fetched('GET', '/list-users')).json()).toMatchObject({ max: { status: 'enabled' } });
    const made = await fetched('PUT', '/add-service-account', { targetUser: 'max', accessKey: 'max-key' });
    expect(await made.json()).toMatchObject({ credentials: { accessKey: 'max-key' } });
    expect((await fetched('DELETE', '/delete-service-account?accessKey=max-key')).status).toBe(204);
  });
});
