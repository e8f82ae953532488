import { randomBytes } from 'node:crypto';
import request, { type Test } from 'supertest';
import { ROOT_PASSWORD, ROOT_USER, startAdminApp, type AdminApp } from '../../../test/support/admin-app';
import { MadminClient } from '../../../test/support/madmin-client';
import { AuditReader } from '../../audit/audit-reader.service';
import { KmsService } from '../../kms/kms.service';
import { BucketService } from '../../object-storage/bucket.service';

const KEY = '/minio/kms/v1/key';

type Method = 'get' | 'post' | 'put' | 'delete';

describe('the KMS routes of MinIO', () => {
  let admin: AdminApp;
  let madmin: MadminClient;
  const call = (
    method: Method,
    path: string,
    credentials: readonly [string, string] = [ROOT_USER, ROOT_PASSWORD],
  ): Test => request(admin.app.getHttpServer())[method](path).auth(credentials[0], credentials[1]);
  const create = (name: string): Test => call('post', `${KEY}/create?key-id=${name}`).expect(200);

  beforeAll(async () => {
    admin = await startAdminApp();
    madmin = new MadminClient(await admin.app.getUrl(), ROOT_USER, ROOT_PASSWORD);
  });
  afterAll(() => admin.close());

  it('import a key in every shape that clients send it in', async () => {
    const material = randomBytes(32);
    const base64 = material.toString('base64');
    const bodies = [material, Buffer.from(`${base64}\n`), Buffer.from(JSON.stringify({ bytes: base64 }))];
    bodies.push(Buffer.from(JSON.stringify({ Bytes: base64 })));
    const kms = admin.app.get(KmsService, { strict: false });
    for (const [index, body] of bodies.entries()) {
      const answer = await madmin.send('POST', `${KEY}/import?key-id=brought-${index}`, body);
      expect([index, answer.status, answer.text]).toEqual([index, 200, '']);
      const { wrapped, plaintext } = await kms.generate(`brought-${index}`, { a: 'b' });
      expect(await kms.unwrap(wrapped, { a: 'b' })).toEqual(plaintext);
    }
    expect((await madmin.send('POST', `${KEY}/import?key-id=brought-0`, material)).status).toBe(409);
  });

  it('refuse what is no key, and tell nothing of it', async () => {
    const text = 'bm90IHRoaXJ0eS10d28gYnl0ZXM=';
    for (const body of ['', text, '{"bytes":7}', '{"bytes":', '[]', `{"bytes":"${text}"}`]) {
      const answer = await madmin.send('POST', `${KEY}/import?key-id=none`, Buffer.from(body));
      expect([body, answer.status]).toEqual([body, 400]);
      expect(answer.text).not.toContain(text);
    }
    expect((await madmin.send('POST', `${KEY}/import`, randomBytes(32))).status).toBe(400);
    await call('get', '/api/v1/kms/keys/none').expect(404);
  });

  it('rotate the key that is named, else the default one', async () => {
    await create('turning');
    expect((await call('post', `${KEY}/rotate?key-id=turning`).expect(200)).text).toBe('');
    expect((await call('get', `${KEY}/status?key-id=turning`).expect(200)).body).toEqual({
      'key-id': 'turning',
      version: '2',
    });
    const { body: before } = await call('get', `${KEY}/status`).expect(200);
    await call('post', `${KEY}/rotate`).expect(200);
    const { body: after } = await call('get', `${KEY}/status`).expect(200);
    expect([after['key-id'], after.version]).toEqual([before['key-id'], String(Number(before.version) + 1)]);
    await call('post', `${KEY}/rotate?key-id=missing`).expect(404);
  });

  it('delete a key that nothing refers to, and no other', async () => {
    await create('free');
    await create('in-use');
    await call('delete', `${KEY}/delete`).expect(400);
    await call('delete', `${KEY}/delete?key-id=missing`).expect(404);
    expect((await call('delete', `${KEY}/delete?key-id=free`).expect(200)).text).toBe('');
    const { body: ending } = await call('get', '/api/v1/kms/keys/free').expect(200);
    expect(ending.state).toBe('pending-deletion');
    const days = (Date.parse(ending.deletion_date as string) - Date.now()) / 86_400_000;
    expect(Math.round(days)).toBe(7);
    const buckets = admin.app.get(BucketService, { strict: false });
    await buckets.create('photos', 'owner');
    await buckets.setEncryption('photos', { mode: 'sse-kms', keyId: 'in-use' } as never);
    const { body: refused } = await call('delete', `${KEY}/delete?key-id=in-use`).expect(409);
    expect(refused).toMatchObject({ Code: expect.any(String), details: { bucket_defaults: 'photos' } });
    expect((await call('get', '/api/v1/kms/keys/in-use').expect(200)).body.state).toBe('enabled');
    const { records } = await admin.app.get(AuditReader, { strict: false }).find({ keyId: 'in-use' }, undefined, 10);
    expect(records.map(({ record: { operation, outcome } }) => `${operation} ${outcome}`)).toContain(
      'AdminDeleteKey failure',
    );
  });

  it('ask for the permission of each, for the key in question', async () => {
    await create('mine-1');
    await call('post', '/api/v1/users').send({ name: 'keeper' }).expect(201);
    const policy = {
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Action: ['kms:RotateKey', 'kms:ImportKey', 'kms:DeleteKey'],
          Resource: ['arn:aws:kms:::key/mine-*'],
        },
      ],
    };
    await call('put', '/api/v1/policies/keeper').send(policy).expect(200);
    await call('post', '/api/v1/policies/keeper/attach').send({ user: 'keeper' }).expect(204);
    const { body } = await call('post', '/api/v1/access-keys').send({ userName: 'keeper' }).expect(201);
    const keeper = [body.accessKeyId as string, body.secretKey as string] as const;
    for (const key of ['turning', '']) {
      await call('post', `${KEY}/rotate?key-id=${key}`, keeper).expect(403);
      await call('delete', `${KEY}/delete?key-id=${key}`, keeper).expect(403);
      await call('post', `${KEY}/import?key-id=${key}`, keeper).expect(403);
    }
    await call('post', `${KEY}/create?key-id=mine-2`, keeper).expect(403);
    await call('post', `${KEY}/rotate?key-id=mine-1`, keeper).expect(200);
    await call('post', `${KEY}/import?key-id=mine-2`, keeper)
      .type('text/plain')
      .send(randomBytes(32).toString('base64'))
      .expect(200);
    await call('delete', `${KEY}/delete?key-id=mine-1`, keeper).expect(200);
  });

  it('tell status and metrics in the names of the server and of the client library', async () => {
    for (const [method, path] of [
      ['get', '/minio/kms/v1/status'],
      ['post', '/minio/admin/v3/kms/status'],
    ] as const) {
      const { body } = await call(method, path).expect(200);
      expect(body).toMatchObject({
        name: 'Strongroom builtin:default',
        'default-key-id': expect.any(String),
        endpoints: { 'builtin:default': 'online' },
        state: { KeyStoreReachable: true, KeystoreAvailable: true, OS: process.platform, CPUs: expect.any(Number) },
      });
      expect(body.state.UpTime).toBeGreaterThan(1_000_000);
    }
    const { body: metrics } = await call('get', '/minio/kms/v1/metrics').expect(200);
    expect(metrics.kes_http_response_time).toEqual(metrics.kms_resp_time);
    expect(metrics.kes_http_request_active).toBeGreaterThanOrEqual(0);
    expect(metrics.kes_system_num_cpu).toBeGreaterThan(0);
    const { body: apis } = await call('get', '/minio/kms/v1/apis').expect(200);
    expect(apis.map(({ Method, Path }: { Method: string; Path: string }) => `${Method} ${Path}`)).toEqual(
      expect.arrayContaining([`POST ${KEY}/import`, `POST ${KEY}/rotate`, `DELETE ${KEY}/delete`]),
    );
    const { body: keys } = await call('get', `${KEY}/list?pattern=turning`).expect(200);
    expect(keys).toEqual([{ name: 'turning', createdAt: expect.stringMatching(/^\d{4}-/), createdBy: 'root' }]);
  });

  it('send clients of version 4 back to version 3', async () => {
    for (const path of ['kms/status', 'set-config-kv', 'info']) {
      const { body } = await call('put', `/minio/admin/v4/${path}`).expect(426);
      expect(body.Code).toBeDefined();
    }
  });
});
