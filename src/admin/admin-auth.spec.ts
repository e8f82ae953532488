import { createHash } from 'node:crypto';
import { sign } from 'aws4';
import request, { type Response, type Test } from 'supertest';
import { ROOT_PASSWORD, ROOT_USER, startAdminApp, type AdminApp } from '../../test/support/admin-app';

const ROOT = { accessKeyId: ROOT_USER, secretAccessKey: ROOT_PASSWORD };
const BODY_LIMIT = 256 * 1024 + 512;

/** What anybody may ask about itself: these look at the caller before they decide, or at the request first. */
const SELF_SERVICE = [
  'put add-service-account',
  'post update-service-account',
  'get info-service-account',
  'get temporary-account-info',
  'get info-access-key',
  'get list-service-accounts',
  'get list-access-keys-bulk',
  'delete delete-service-account',
  'post revoke-tokens/builtin',
  'get accountinfo',
  'put update-group-members',
  'put set-group-status',
  'put add-user',
  'get user-info',
  'put set-user-status',
].flatMap((route) => ['minio', 'rustfs'].map((face) => route.replace(' ', ` /${face}/admin/v3/`)));

describe('admin authentication and authorisation', () => {
  let admin: AdminApp;
  let host: string;

  beforeAll(async () => {
    admin = await startAdminApp();
    host = new URL(await admin.app.getUrl()).host;
  });
  afterAll(() => admin.close());

  const call = (method: 'get' | 'post' | 'put' | 'patch' | 'delete', path: string): Test =>
    request(`http://${host}`)[method](path);
  const asRoot = (method: 'get' | 'post' | 'put' | 'patch' | 'delete', path: string): Test =>
    call(method, path).auth(ROOT_USER, ROOT_PASSWORD);

  interface Signing {
    readonly service?: string;
    readonly region?: string;
    readonly method?: string;
    readonly body?: string;
    readonly headers?: Record<string, string>;
    readonly credentials?: { accessKeyId: string; secretAccessKey: string };
  }

  async function signed(path: string, options: Signing = {}): Promise<globalThis.Response> {
    const { service = 's3', region = 'us-east-1', method = 'GET', body = '', headers = {} } = options;
    const own = service === 's3' ? { 'X-Amz-Content-Sha256': createHash('sha256').update(body).digest('hex') } : {};
    const input = { host, path, service, region, method, body, headers: { Host: host, ...own, ...headers } };
    const { headers: sent } = sign(input, options.credentials ?? ROOT);
    delete (sent as Record<string, unknown>)['Content-Length'];
    return fetch(`http://${host}${path}`, {
      method,
      headers: sent as Record<string, string>,
      body: body === '' ? undefined : body,
    });
  }

  async function createUser(name: string, ...policies: string[]): Promise<{ id: string; secret: string }> {
    await asRoot('post', '/api/v1/users').send({ name }).expect(201);
    for (const policy of policies) {
      await asRoot('post', `/api/v1/policies/${policy}/attach`).send({ user: name }).expect(204);
    }
    const { body } = await asRoot('post', '/api/v1/access-keys').send({ userName: name }).expect(201);
    return { id: body.accessKeyId, secret: body.secretKey };
  }

  const problem = (response: Response, status: number): void => {
    expect(response.headers['content-type']).toContain('application/problem+json');
    expect(response.body).toMatchObject({ status, requestId: response.headers['x-amz-request-id'] });
    expect(response.status).toBe(status);
  };

  it('refuses everyone without credentials, on every route, and asks for them', async () => {
    const { body: document } = await call('get', '/docs/openapi.json').expect(200);
    const routes = Object.entries<object>(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => [method, path.replace(/\{[^}]+\}/g, 'x')] as const),
    );
    expect(routes.length).toBeGreaterThan(60);
    for (const [method, path] of routes) {
      const response = await call(method as 'get', path);
      problem(response, 401);
      expect(response.headers['www-authenticate']).toMatch(/^Basic realm="Strongroom"/);
    }
  });

  it('gives every documented route a required action: a user without policies gets 403 or its own data', async () => {
    const { id, secret } = await createUser('nobody');
    const { body: document } = await call('get', '/docs/openapi.json');
    const answers: [string, number][] = [];
    for (const [path, operations] of Object.entries<object>(document.paths)) {
      for (const method of Object.keys(operations)) {
        const target = path.replace(/\{[^}]+\}/g, 'xxx');
        const body = method === 'patch' ? { status: 'disabled' } : undefined;
        const response = await call(method as 'get', target)
          .auth(id, secret)
          .send(body);
        answers.push([`${method} ${path}`, response.status]);
      }
    }
    const open = answers.filter(([, status]) => status !== 403).map(([route]) => route);
    expect(new Set(open)).toEqual(new Set(['get /api/v1/whoami', ...SELF_SERVICE]));
    expect(answers.filter(([, status]) => status >= 500)).toEqual([]);
  });

  it.each([
    ['a wrong secret', ROOT_USER, 'wrong'],
    ['an unknown key', 'NOBODYNOBODY', ROOT_PASSWORD],
    ['an empty secret', ROOT_USER, ''],
    ['an empty pair', '', ''],
  ])('refuses Basic with %s', async (_, user, password) => {
    problem(await call('get', '/api/v1/whoami').auth(user, password), 401);
  });

  it('refuses malformed and unknown schemes', async () => {
    for (const value of [
      'Basic',
      'Basic !!!',
      'Bearer x',
      'Digest y',
      'AWS4-HMAC-SHA256 nonsense',
      'Basic bm9jb2xvbg==',
    ]) {
      const response = await call('get', '/api/v1/whoami').set('Authorization', value);
      expect([400, 401]).toContain(response.status);
      expect(response.body.detail).toEqual(expect.any(String));
    }
  });

  it('takes Basic', async () => {
    const { body } = await asRoot('get', '/api/v1/whoami').expect(200);
    expect(body).toMatchObject({ kind: 'root', name: 'root', accessKeyId: ROOT_USER });
  });

  it.each([
    ['s3', 'us-east-1'],
    ['kms', 'us-east-1'],
    ['execute-api', 'eu-central-1'],
  ])('takes a signature for %s in %s, with query and body', async (service, region) => {
    const status = await signed('/minio/admin/v3/kms/key/status?key-id=a%20b%2Bc', { service, region });
    expect(status.status).toBe(200);
    const body = JSON.stringify({ name: `user-${service}` });
    const headers = { 'Content-Type': 'application/json' };
    const created = await signed('/api/v1/users', { service, region, method: 'POST', body, headers });
    expect(created.status).toBe(201);
  });

  it('signs paths with escapes as each service does', async () => {
    for (const service of ['s3', 'kms']) {
      const response = await signed('/api/v1/users/a%40b', { service });
      expect([service, response.status]).toEqual([service, 404]);
    }
  });

  it.each<[string, string, Signing, number, string]>([
    [
      'another secret',
      '/api/v1/whoami',
      { credentials: { ...ROOT, secretAccessKey: 'wrong' } },
      403,
      'SignatureDoesNotMatch',
    ],
    [
      'an unknown key',
      '/api/v1/whoami',
      { credentials: { ...ROOT, accessKeyId: 'NOBODYNOBODY' } },
      403,
      'InvalidAccessKeyId',
    ],
    ['a foreign service', '/api/v1/whoami', { service: 'iam' }, 400, 'AuthorizationHeaderMalformed'],
    ['a stale date', '/api/v1/whoami', { headers: { 'X-Amz-Date': '20200101T000000Z' } }, 403, 'RequestTimeTooSkewed'],
  ])('refuses a signature with %s', async (_, path, options, status, kind) => {
    const response = await signed(path, options);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ type: `urn:strongroom:problem:${kind}` });
  });

  it('refuses a body other than the signed one, and unsigned bodies', async () => {
    const body = JSON.stringify({ name: 'mallory' });
    const options = { method: 'POST', body: JSON.stringify({ name: 'alice' }), service: 's3' };
    const { headers } = sign(
      { host, path: '/api/v1/users', region: 'us-east-1', ...options, headers: { Host: host } },
      ROOT,
    );
    delete (headers as Record<string, unknown>)['Content-Length'];
    const swapped = await fetch(`http://${host}/api/v1/users`, { method: 'POST', headers: headers as never, body });
    expect([400, 403]).toContain(swapped.status);
    const unsigned = await signed('/api/v1/users', {
      method: 'POST',
      body,
      headers: { 'X-Amz-Content-Sha256': 'UNSIGNED-PAYLOAD' },
    });
    expect(unsigned.status).toBe(400);
    await asRoot('get', '/api/v1/users/mallory').expect(404);
  });

  it('lets users do what their policies allow and no more', async () => {
    const { id, secret } = await createUser('auditor', 'KMSAuditor');
    await call('get', '/minio/kms/v1/status').auth(id, secret).expect(200);
    await call('get', '/minio/kms/v1/key/list').auth(id, secret).expect(200);
    const refused = await call('post', '/minio/kms/v1/key/create?key-id=x').auth(id, secret);
    problem(refused, 403);
    expect(refused.body).toMatchObject({ Code: 'AccessDenied', Message: expect.stringContaining('kms:CreateKey') });
    problem(await call('get', '/minio/admin/v3/config').auth(id, secret), 403);
  });

  it('judges key routes by the key they name', async () => {
    const document = {
      Version: '2012-10-17',
      Statement: [
        { Effect: 'Allow', Action: 'kms:*', Resource: ['arn:aws:kms:::key/tenant-*', 'arn:minio:kms:::other'] },
      ],
    };
    await asRoot('put', '/api/v1/policies/tenant').send(document).expect(200);
    const { id, secret } = await createUser('tenant', 'tenant');
    const create = (query: string, body?: object): Test =>
      call('post', `/rustfs/admin/v3/kms/key/create${query}`).auth(id, secret).send(body);
    await create('?key-id=tenant-1').expect(200);
    await create('', { key_id: 'tenant-2' }).expect(200);
    await create('?key-id=builtin:default/tenant-3').expect(200);
    await create('?key-id=other').expect(200);
    await create('?key-id=foreign').expect(403);
    await create('', { key_id: 'foreign' }).expect(403);
    await create('?key-id=foreign', { key_id: 'tenant-1' }).expect(403);
    // An equal id in another KMS is another key, whether that KMS exists or not.
    await create('?key-id=vault:default/tenant-1').expect(403);
    await asRoot('post', '/minio/admin/v3/kms/key/create?key-id=hidden').expect(200);
    const { body } = await call('get', '/minio/kms/v1/key/list').auth(id, secret).expect(200);
    expect(body.map((key: { name: string }) => key.name).sort()).toEqual(['other', 'tenant-1', 'tenant-2', 'tenant-3']);
  });

  it('keeps enabling and disabling apart', async () => {
    const document = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'admin:EnableUser' }] };
    await asRoot('put', '/api/v1/policies/enabler').send(document).expect(200);
    const { id, secret } = await createUser('enabler', 'enabler');
    await call('patch', '/api/v1/users/enabler').auth(id, secret).send({ status: 'enabled' }).expect(200);
    await call('patch', '/api/v1/users/enabler').auth(id, secret).send({ status: 'disabled' }).expect(403);
  });

  it('refuses changes that pages of other sites ask for, and serves their reads no more than others', async () => {
    for (const headers of [
      { 'Sec-Fetch-Site': 'cross-site' },
      { Origin: 'https://evil.example' },
      { Origin: 'null' },
    ]) {
      problem(await asRoot('post', '/api/v1/users').set(headers).send({ name: 'forged' }), 403);
    }
    await asRoot('post', '/api/v1/users')
      .set({ Origin: `http://${host}` })
      .send({ name: 'own-page' })
      .expect(201);
  });

  it('tells nothing about the body before it knows the caller', async () => {
    problem(await call('post', '/api/v1/users').set('Content-Type', 'application/json').send('{broken'), 401);
    problem(await asRoot('post', '/api/v1/users').set('Content-Type', 'application/json').send('{broken'), 400);
  });

  it.each<[string, string, number]>([
    ['nested without end', '['.repeat(100_000), 400],
    ['nested deeply and closed', `${'{"a":'.repeat(40)}1${'}'.repeat(40)}`, 400],
    ['too large', `{"name":"${'x'.repeat(BODY_LIMIT)}"}`, 413],
    ['a list', '[]', 400],
    ['a number', '7', 400],
    ['an unknown member', '{"name":"x2","admin":true}', 400],
  ])('refuses a body: %s', async (_, text, status) => {
    problem(await asRoot('post', '/api/v1/users').set('Content-Type', 'application/json').send(text), status);
  });

  it('refuses compressed bodies, unknown query parameters and names that cannot be', async () => {
    problem(await asRoot('post', '/api/v1/users').set('Content-Encoding', 'gzip').send({ name: 'zip' }), 400);
    const unknown = await asRoot('post', '/minio/admin/v3/config/kms_vault/default?dryrun=true').send({
      enabled: false,
    });
    problem(unknown, 400);
    expect(unknown.body.problems).toEqual([{ field: 'dryrun', message: 'dryrun is not a known member' }]);
    for (const name of ['a%00b', 'a%2Fb', '%ff', 'x'.repeat(65)]) {
      problem(await asRoot('get', `/api/v1/users/${name}`), 400);
    }
  });

  it('answers unknown routes with a problem and v4 routes with 426', async () => {
    problem(await asRoot('get', '/api/v1/nothing'), 404);
    problem(await call('get', '/minio/other'), 404);
    const upgrade = await call('put', '/minio/admin/v4/set-config-kv');
    problem(upgrade, 426);
    expect(upgrade.body.Code).toBe('XMinioAdminVersionMismatch');
  });

  it('reports each request once, by operation, with the caller', async () => {
    admin.finished.length = 0;
    const { headers } = await asRoot('get', '/api/v1/whoami');
    await call('get', '/api/v1/whoami');
    await call('get', '/api/v1/nothing');
    await call('get', '/docs/openapi.json');
    expect(admin.finished.map(({ operation, status, principal }) => ({ operation, status, principal }))).toEqual([
      { operation: 'AdminWhoAmI', status: 200, principal: 'root' },
      { operation: 'AdminWhoAmI', status: 401, principal: undefined },
      { operation: 'AdminUnknown', status: 404, principal: undefined },
      { operation: 'Docs', status: 200, principal: undefined },
    ]);
    expect(admin.finished[0]?.requestId).toBe(headers['x-amz-request-id']);
  });

  it('sends careful headers', async () => {
    const { headers } = await asRoot('get', '/api/v1/whoami');
    expect(headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
    expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
    expect(headers['x-powered-by']).toBeUndefined();
  });
});
