import request, { type Test } from 'supertest';
import { startVaultServer, type FakeVault } from '../../test/fakes/vault-server';
import { ROOT_PASSWORD, ROOT_USER, startAdminApp, type AdminApp } from '../../test/support/admin-app';

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

/** Every answer of a test, to be searched for secrets at its end. */
const answers: string[] = [];

function caller(admin: AdminApp): (method: Method, path: string) => Test {
  return (method, path) =>
    request(admin.app.getHttpServer())
      [method](path)
      .auth(ROOT_USER, ROOT_PASSWORD)
      .on('response', (response: { text?: string; headers: object }) =>
        answers.push(`${response.text ?? ''}${JSON.stringify(response.headers)}`),
      );
}

function expectNowhere(...secrets: string[]): void {
  for (const secret of secrets) {
    expect(answers.filter((answer) => answer.includes(secret))).toEqual([]);
  }
}

describe('configuration and key routes', () => {
  let admin: AdminApp;
  let vault: FakeVault;
  let call: (method: Method, path: string) => Test;

  beforeEach(async () => {
    answers.length = 0;
    vault = await startVaultServer();
    vault.createKey('app-key');
    admin = await startAdminApp({ RUSTFS_KMS_VAULT_MOUNT_PATH: 'transit' });
    call = caller(admin);
  });
  afterEach(async () => {
    await admin.close();
    await vault.close();
  });

  const settings = (changes: object = {}): object => ({
    endpoint: vault.url,
    key_name: 'app-key',
    token: vault.rootToken,
    enabled: true,
    ...changes,
  });

  describe.each(['/minio/admin/v3', '/rustfs/admin/v3'])('under %s', (prefix) => {
    const document = `${prefix}/config/kms_vault/default`;

    it('stores a Vault that passes its test, shows it masked with sources, and uses it', async () => {
      const { body } = await call('post', document).send(settings()).expect(200);
      expect(body).toMatchObject({
        applied: true,
        config: { subsystem: 'kms_vault', target: 'default', enabled: true, updatedBy: 'root' },
        test: { ok: true },
      });
      expect(body.test.steps.length).toBeGreaterThan(4);
      const { body: shown } = await call('get', document).expect(200);
      expect(shown.fields).toMatchObject({
        endpoint: { value: vault.url, source: 'database', secret: false },
        token: { source: 'database', secret: true },
        mount_path: { value: 'transit', source: 'environment', origin: 'RUSTFS_KMS_VAULT_MOUNT_PATH' },
      });
      const { body: all } = await call('get', `${prefix}/config`).expect(200);
      expect(all.config).toContainEqual(shown);
      const { body: some } = await call('get', `${prefix}/config/kms_vault`).expect(200);
      expect(some.config).toEqual([shown]);
      const { body: status } = await call('post', `${prefix}/kms/status`).expect(200);
      expect(status).toMatchObject({
        'default-key-id': 'app-key',
        endpoints: { 'vault:default': expect.any(String) },
        backend_type: prefix.startsWith('/rustfs') ? 'VaultTransit' : 'vault',
      });
      expectNowhere(vault.rootToken);
    });

    it('keeps the stored secret when it is sent blank', async () => {
      await call('post', document).send(settings()).expect(200);
      await call('post', document).send({ token: '', comment: 'again' }).expect(200);
      await call('put', document)
        .send(settings({ token: '' }))
        .expect(200);
      const { body } = await call('get', '/minio/admin/v3/kms/key/status?key-id=app-key').expect(200);
      expect(body).toEqual({ 'key-id': 'app-key', version: '1' });
    });

    it('tests without storing: dry run, unsaved and stored settings', async () => {
      const { body: dry } = await call('post', `${document}?dry-run=true`).send(settings()).expect(200);
      expect(dry).toMatchObject({ applied: false, test: { ok: true } });
      const { body: bare } = await call('put', `${document}?dry-run`).send(settings()).expect(200);
      expect(bare.applied).toBe(false);
      const wrong = settings({ token: 'hvs.wrong-token' });
      const { body: unsaved } = await call('post', `${document}/test?dry-run`).send(wrong).expect(200);
      expect(unsaved.ok).toBe(false);
      expect(unsaved.steps.find((step: { outcome: string }) => step.outcome === 'failed').remedy).toEqual(
        expect.any(String),
      );
      expect((await call('get', `${document}/history`)).body.entries).toEqual([]);
      await call('post', document).send(settings()).expect(200);
      const { body: stored } = await call('post', `${document}/test`).expect(200);
      expect(stored.ok).toBe(true);
      expectNowhere('hvs.wrong-token', vault.rootToken);
    });

    it('refuses a failing candidate with the report, unless forced', async () => {
      await call('post', document).send(settings()).expect(200);
      const refused = await call('post', document).send({ token: 'hvs.wrong-token' }).expect(400);
      expect(refused.body).toMatchObject({
        type: 'urn:strongroom:problem:config-test-failed',
        report: { ok: false },
        remedy: expect.any(String),
        Code: 'XMinioConfigError',
      });
      expect((await call('get', document)).body.fields.token.source).toBe('database');
      const { body } = await call('post', `${document}?force=true&reason=drill`).send({ token: 'hvs.wrong-token' });
      expect(body).toMatchObject({ applied: true, test: { ok: false } });
      expectNowhere('hvs.wrong-token', vault.rootToken);
    });

    it('names the wrong field and the nearest right one, and every invalid field', async () => {
      const unknown = await call('post', document).send({ key_nam: 'x' }).expect(400);
      expect(unknown.body.details).toEqual({ field: 'key_nam', nearest: 'key_name' });
      const invalid = await call('post', document).send({ endpoint: 'nonsense', timeout: 'soon' }).expect(400);
      expect(invalid.body.type).toBe('urn:strongroom:problem:config-invalid');
      expect(invalid.body.problems.length).toBeGreaterThan(0);
      await call('post', `${prefix}/config/kms_nothing/default`).send({}).expect(404);
      await call('get', `${prefix}/config/kms_nothing`).expect(404);
      await call('post', document).send('[1]').set('Content-Type', 'application/json').expect(400);
    });

    it('keeps history, rolls back, refuses stale versions and deletes', async () => {
      const { body: first } = await call('post', document)
        .send(settings({ comment: 'one' }))
        .expect(200);
      const { body: second } = await call('post', `${document}?reason=why`).send({ comment: 'two' }).expect(200);
      const stale = `${document}?expected-version=${first.config.version}`;
      await call('post', stale).send({ comment: 'three' }).expect(409);
      const { body: history } = await call('get', `${document}/history?limit=1`).expect(200);
      expect(history.entries).toEqual([
        expect.objectContaining({ version: second.config.version, comment: 'why', changedBy: 'root', action: 'set' }),
      ]);
      const version = first.config.version as number;
      const { body: back } = await call('post', `${document}/rollback`).send({ version }).expect(200);
      expect(back.config.fields.comment.value).toBe('one');
      await call('post', `${document}/rollback`).send({ version: 999_999 }).expect(404);
      await call('post', `${document}/rollback`).send({ version: 'one' }).expect(400);
      await call('delete', document).expect(204);
      expect((await call('get', `${document}/history`)).body.entries[0].action).toBe('delete');
      expectNowhere(vault.rootToken);
    });

    it('creates, describes, lists, tries and rotates keys', async () => {
      await call('post', document).send(settings()).expect(200);
      const { body: created } = await call('post', `${prefix}/kms/key/create?key-id=tenant-1`).expect(200);
      expect(created).toMatchObject({ key_id: 'tenant-1' });
      const again = await call('post', `${prefix}/kms/key/create`).send({ key_id: 'tenant-1' }).expect(409);
      expect(again.body.Code).toBe('kms:KeyAlreadyExists');
      const { body: rotated } = await call('post', `${prefix}/kms/key/rotate?key-id=tenant-1`).expect(200);
      expect(rotated.latest_version).toBe('2');
      const { body: described } = await call('get', `${prefix}/kms/key/describe?key-id=tenant-1`).expect(200);
      expect(described).toMatchObject({ kms: 'vault:default', state: 'enabled', latest_version: '2' });
      const { body: listed } = await call('get', `${prefix}/kms/key/list?pattern=tenant`).expect(200);
      expect(listed).toEqual([{ name: 'tenant-1', createdAt: expect.any(String), createdBy: expect.any(String) }]);
      const { body: missing } = await call('get', '/minio/admin/v3/kms/key/status?key-id=missing').expect(200);
      expect(missing).toEqual({ 'key-id': 'missing', 'encryption-error': expect.any(String) });
      await call('post', `${prefix}/kms/key/rotate?key-id=missing`).expect(404);
      await call('post', '/minio/admin/v3/kms/key/create').expect(400);
      // Vault has no such state; the store keeps it.
      const { body: off } = await call('post', `${prefix}/kms/key/disable?key-id=tenant-1`).expect(200);
      expect(off).toMatchObject({ kms: 'vault:default', state: 'disabled' });
      const { body: on } = await call('post', `${prefix}/kms/key/enable?key-id=tenant-1`).expect(200);
      expect(on.state).toBe('enabled');
    });
  });

  it('disables and enables keys of the embedded keyring', async () => {
    const key = 'key-id=builtin:default/own';
    await call('post', `/minio/admin/v3/kms/key/create?${key}`).expect(200);
    const { body: off } = await call('post', `/minio/admin/v3/kms/key/disable?${key}`).expect(200);
    expect(off.state).toBe('disabled');
    const { body: trial } = await call('get', `/minio/kms/v1/key/status?${key}`).expect(200);
    expect(trial['encryption-error']).toContain('disabled');
    const { body: on } = await call('post', `/minio/admin/v3/kms/key/enable?${key}`).expect(200);
    expect(on.state).toBe('enabled');
  });

  it('speaks the KMS API of MinIO', async () => {
    const { body: version } = await call('get', '/minio/kms/v1/version').expect(200);
    expect(version.version).toMatch(/^\d+\.\d+\.\d+/);
    const created = await call('post', '/minio/kms/v1/key/create?key-id=minio-key').expect(200);
    expect(created.text).toBe('');
    const { body: listed } = await call('get', '/minio/kms/v1/key/list?pattern=*').expect(200);
    expect(listed.map((key: { name: string }) => key.name)).toContain('minio-key');
    const { body: trial } = await call('get', '/minio/kms/v1/key/status').expect(200);
    expect(trial).toEqual({ 'key-id': expect.any(String), version: '1' });
    const { body: metrics } = await call('get', '/minio/kms/v1/metrics').expect(200);
    expect(metrics.kms_req_success).toBeGreaterThan(0);
    expect(metrics.kes_http_request_success).toBe(metrics.kms_req_success);
    expect(Object.keys(metrics.kms_resp_time).length).toBeGreaterThan(5);
    const { body: apis } = await call('get', '/minio/kms/v1/apis').expect(200);
    for (const api of apis as { Method: string; Path: string }[]) {
      expect((await call(api.Method.toLowerCase() as Method, api.Path)).status).not.toBe(404);
    }
  });

  it('describes subsystems and validates everything in force', async () => {
    const { body: help } = await call('get', '/api/v1/config/subsystems').expect(200);
    const kmsVault = help.subsystems.find((subsystem: { name: string }) => subsystem.name === 'kms_vault');
    expect(kmsVault).toMatchObject({ testable: true, multipleTargets: true });
    expect(kmsVault.fields).toContainEqual(expect.objectContaining({ name: 'token', secret: true }));
    await call('post', '/minio/admin/v3/config/kms_vault/default').send(settings()).expect(200);
    const { body: valid } = await call('post', '/api/v1/config/validate').expect(200);
    expect(valid).toEqual({ valid: true, documents: [] });
  });
});

describe('identity routes', () => {
  let admin: AdminApp;
  let call: (method: Method, path: string) => Test;
  const policy = {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: ['s3:GetObject'], Resource: ['arn:aws:s3:::photos/*'] }],
  };

  beforeEach(async () => {
    answers.length = 0;
    admin = await startAdminApp();
    call = caller(admin);
  });
  afterEach(() => admin.close());

  it('manage users, groups, policies and access keys', async () => {
    await call('post', '/api/v1/users').send({ name: 'alice' }).expect(201);
    await call('post', '/api/v1/users').send({ name: 'alice' }).expect(409);
    await call('put', '/api/v1/policies/photos').send(policy).expect(200);
    await call('post', '/api/v1/groups')
      .send({ name: 'viewers', members: ['alice'] })
      .expect(201);
    await call('post', '/api/v1/policies/photos/attach').send({ group: 'viewers' }).expect(204);
    const { body: alice } = await call('get', '/api/v1/users/alice').expect(200);
    expect(alice).toMatchObject({ name: 'alice', status: 'enabled', groups: ['viewers'], policies: [] });
    const { body: groups } = await call('get', '/api/v1/groups').expect(200);
    expect(groups.groups).toEqual([expect.objectContaining({ members: ['alice'], policies: ['photos'] })]);
    const { body: shown } = await call('get', '/api/v1/policies/photos').expect(200);
    expect(shown).toMatchObject({ builtin: false, document: policy });
    await call('delete', '/api/v1/policies/photos').expect(409);
    await call('delete', '/api/v1/policies/readonly').expect(409);
    const ask = { userName: 'alice', action: 's3:GetObject', resource: 'arn:aws:s3:::photos/cat' };
    const simulate = async (body: object): Promise<object> =>
      (await call('post', '/api/v1/policies/simulate').send(body).expect(200)).body;
    expect(await simulate(ask)).toEqual({ allowed: true, reason: 'allow:photos' });
    expect(await simulate({ ...ask, action: 's3:PutObject' })).toEqual({ allowed: false, reason: 'implicit-deny' });
    expect(await simulate({ ...ask, userName: undefined })).toMatchObject({ allowed: false });
    await call('post', '/api/v1/policies/simulate')
      .send({ ...ask, userName: 'nobody' })
      .expect(404);
    await call('delete', '/api/v1/groups/viewers/members')
      .send({ members: ['alice'] })
      .expect(200);
    expect(await simulate(ask)).toMatchObject({ allowed: false });
    await call('post', '/api/v1/policies/photos/detach').send({ group: 'viewers' }).expect(204);
    await call('delete', '/api/v1/policies/photos').expect(204);
    await call('patch', '/api/v1/groups/viewers').send({ status: 'disabled' }).expect(200);
    await call('delete', '/api/v1/groups/viewers').expect(204);
    await call('delete', '/api/v1/users/alice').expect(204);
    await call('get', '/api/v1/users/alice').expect(404);
  });

  it('show a generated secret once and a given one never', async () => {
    await call('post', '/api/v1/users').send({ name: 'alice' }).expect(201);
    const { body: generated } = await call('post', '/api/v1/access-keys').send({ userName: 'alice' }).expect(201);
    expect(generated.secretKey).toMatch(/^.{40}$/);
    answers.length = 0;
    const given = { userName: 'alice', accessKeyId: 'ALICE-KEY', secretKey: 'a-given-secret', sessionPolicy: policy };
    await call('post', '/api/v1/access-keys').send(given).expect(201);
    await call('patch', '/api/v1/access-keys/ALICE-KEY').send({ secretKey: 'another-given-one', description: 'x' });
    const { body: shown } = await call('get', '/api/v1/access-keys/ALICE-KEY').expect(200);
    expect(shown).toMatchObject({ userName: 'alice', description: 'x', sessionPolicy: policy });
    const { body: listed } = await call('get', '/api/v1/access-keys?user=alice').expect(200);
    expect(listed.accessKeys).toHaveLength(2);
    const as = (secret: string): Test =>
      request(admin.app.getHttpServer()).get('/api/v1/whoami').auth('ALICE-KEY', secret);
    await as('a-given-secret').expect(401);
    expect((await as('another-given-one').expect(200)).body).toMatchObject({ kind: 'user', name: 'alice' });
    await call('patch', '/api/v1/access-keys/ALICE-KEY').send({ status: 'disabled', sessionPolicy: null }).expect(200);
    await as('another-given-one').expect(401);
    await call('delete', '/api/v1/access-keys/ALICE-KEY').expect(204);
    expectNowhere(generated.secretKey, 'a-given-secret', 'another-given-one', ROOT_PASSWORD);
  });
});

describe('identity routes that change nothing', () => {
  let admin: AdminApp;
  let call: (method: Method, path: string) => Test;

  beforeAll(async () => {
    admin = await startAdminApp();
    call = caller(admin);
  });
  afterAll(() => admin.close());

  it.each<[string, Method, string, object, number]>([
    ['an unknown action form', 'post', 'policies/simulate', { action: 'x', resource: '*' }, 400],
    ['odd conditions', 'post', 'policies/simulate', { action: 's3:X', resource: '*', conditions: { a: 1 } }, 400],
    ['a malformed policy', 'put', 'policies/p', { Statement: [{ Effect: 'allow' }] }, 400],
    ['a policy for both', 'post', 'policies/readonly/attach', { user: 'a', group: 'b' }, 400],
    ['a policy for neither', 'post', 'policies/readonly/attach', {}, 400],
    ['a policy for nobody', 'post', 'policies/readonly/attach', { user: 'nobody' }, 404],
    ['a reserved user', 'post', 'users', { name: 'root' }, 400],
    ['an unknown status', 'patch', 'users/alice', { status: 'gone' }, 400],
    ['a member that is no text', 'post', 'groups', { name: 'g', members: [1] }, 400],
    ['a short secret', 'post', 'access-keys', { secretKey: 'x' }, 400],
    ['an expiry that is no date', 'post', 'access-keys', { expiresAt: 'tomorrow' }, 400],
    ['an expiry in the past', 'post', 'access-keys', { expiresAt: '2020-01-01T00:00:00Z' }, 400],
    ['a session policy that is a list', 'post', 'access-keys', { sessionPolicy: [] }, 400],
    ['a malformed session policy', 'post', 'access-keys', { sessionPolicy: {} }, 400],
  ])('refuse %s', async (_, method, path, body, status) => {
    const response = await call(method, `/api/v1/${path}`).send(body);
    expect(response.status).toBe(status);
    expect(response.body).toMatchObject({ status, detail: expect.any(String) });
  });

  it('list every problem of a malformed policy', async () => {
    const body = { Statement: [{ Effect: 'allow', Action: 'x' }] };
    const response = await call('put', '/api/v1/policies/p').send(body).expect(400);
    expect(response.body.problems.map((problem: { field: string }) => problem.field).sort()).toEqual([
      'Statement[0].Action',
      'Statement[0].Effect',
      'Statement[0].Resource',
    ]);
  });
});

describe('the documentation', () => {
  let admin: AdminApp;
  beforeAll(async () => {
    admin = await startAdminApp();
  });
  afterAll(() => admin.close());

  it('is served as a page that works under its own security policy', async () => {
    const page = await request(admin.app.getHttpServer()).get('/docs').expect(200);
    expect(page.headers['content-type']).toContain('text/html');
    expect(page.text).not.toMatch(/<script(?![^>]*\bsrc=)[^>]*>\s*\S/);
    for (const [, asset] of page.text.matchAll(/(?:src|href)="([^"]+)"/g)) {
      const path = new URL(asset as string, 'http://host/docs').pathname;
      await request(admin.app.getHttpServer()).get(path).expect(200);
    }
  });

  it('describes every answer of every operation, under unique ids, with both ways to authorise', async () => {
    const { body: document } = await request(admin.app.getHttpServer()).get('/docs/openapi.json').expect(200);
    expect(Object.keys(document.components.securitySchemes).sort()).toEqual(['basic', 'sigv4']);
    const operations = Object.values<Record<string, { operationId: string; summary: string; security: unknown[] }>>(
      document.paths,
    ).flatMap((path) => Object.values(path));
    expect(new Set(operations.map((operation) => operation.operationId)).size).toBe(operations.length);
    for (const operation of operations) {
      expect(operation.summary).toEqual(expect.any(String));
      expect(operation.security).toEqual(expect.arrayContaining([{ basic: [] }]));
    }
    expect(JSON.stringify(document)).not.toMatch(/hvs\.|"token":\s*"(?!<token>)/);
  });
});
