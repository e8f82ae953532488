import { randomBytes } from 'node:crypto';
import request, { type Test } from 'supertest';
import { startVaultServer } from '../../../test/fakes/vault-server';
import { ROOT_PASSWORD, ROOT_USER, startAdminApp, type AdminApp } from '../../../test/support/admin-app';
import { BucketService } from '../../object-storage/bucket.service';

const KEYS = '/api/v1/kms/keys';

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

describe('the life of a key', () => {
  let admin: AdminApp;
  const call = (
    method: Method,
    path: string,
    credentials: readonly [string, string] = [ROOT_USER, ROOT_PASSWORD],
  ): Test => request(admin.app.getHttpServer())[method](path).auth(credentials[0], credentials[1]);

  beforeAll(async () => {
    admin = await startAdminApp();
  });
  afterAll(() => admin.close());

  it('is created with a description and tags, found in pages, and changed', async () => {
    const { body: made } = await call('post', KEYS)
      .send({ key_id: 'page-1', description: 'first', tags: { team: 'a', old: 'x' } })
      .expect(201);
    expect(made).toMatchObject({ key_id: 'page-1', kms: 'builtin:default', state: 'enabled', description: 'first' });
    await call('post', KEYS).send({ key_id: 'page-1' }).expect(409);
    await call('post', KEYS).send({ key_id: 'page-2' }).expect(201);
    const { body: unnamed } = await call('post', KEYS).send({}).expect(201);
    expect(unnamed.key_id).toMatch(/^[0-9a-f-]{36}$/);
    const { body: page } = await call('get', `${KEYS}?pattern=page-*&limit=1`).expect(200);
    expect(page).toMatchObject({ keys: [{ key_id: 'page-1', tags: { team: 'a', old: 'x' } }], next_marker: 'page-1' });
    const { body: rest } = await call('get', `${KEYS}?pattern=page-?&marker=${page.next_marker}`).expect(200);
    expect(rest).toMatchObject({ keys: [{ key_id: 'page-2', tags: {} }] });
    expect(rest).not.toHaveProperty('next_marker');
    const { body: changed } = await call('patch', `${KEYS}/page-1`)
      .send({ description: 'second', tags: { team: 'b', old: null } })
      .expect(200);
    expect(changed).toMatchObject({ description: 'second', tags: { team: 'b' } });
    expect((await call('get', `${KEYS}/page-1`)).body).toMatchObject({ description: 'second', tags: { team: 'b' } });
    await call('patch', `${KEYS}/page-1`)
      .send({ tags: { team: 1 } })
      .expect(400);
    await call('patch', `${KEYS}/missing`).send({ description: 'x' }).expect(404);
  });

  it('is refused in words about what is wrong most', async () => {
    const { body } = await call('post', KEYS)
      .send({ key_id: { name: 'object' } })
      .expect(400);
    expect(body).toMatchObject({ detail: 'key_id must be a string', problems: [{ field: 'key_id' }] });
  });

  it('is imported where the KMS can, and only with 32 bytes', async () => {
    const material = randomBytes(32).toString('base64');
    const { body } = await call('post', KEYS).send({ key_id: 'imported', material }).expect(201);
    expect(JSON.stringify(body)).not.toContain(material);
    await call('post', KEYS)
      .send({ key_id: 'short', material: randomBytes(16).toString('base64') })
      .expect(400);
    await call('get', `${KEYS}/short`).expect(404);
  });

  it('is disabled, enabled and rotated', async () => {
    await call('post', KEYS).send({ key_id: 'turning' }).expect(201);
    expect((await call('post', `${KEYS}/turning/disable`).expect(200)).body.state).toBe('disabled');
    expect((await call('post', `${KEYS}/turning/enable`).expect(200)).body.state).toBe('enabled');
    expect((await call('post', `${KEYS}/turning/rotate`).expect(200)).body.latest_version).toBe('2');
  });

  it('ends after 7 to 30 days, and comes back disabled when that is cancelled', async () => {
    await call('post', KEYS).send({ key_id: 'ending' }).expect(201);
    for (const days of [6, 31, 7.5]) {
      await call('post', `${KEYS}/ending/deletion`).send({ pending_window_in_days: days }).expect(400);
    }
    const { body } = await call('post', `${KEYS}/ending/deletion`).send({ pending_window_in_days: 7 }).expect(200);
    expect(body).toMatchObject({ key: { state: 'pending-deletion' }, impact: { references: [], objects: 0 } });
    const days = (new Date(body.key.deletion_date as string).getTime() - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(6.9);
    expect(days).toBeLessThanOrEqual(7);
    expect((await call('delete', `${KEYS}/ending/deletion`).expect(200)).body.state).toBe('disabled');
    await call('delete', `${KEYS}/ending/deletion`).expect(400);
  });

  it('is disabled, enabled and deleted from here where the KMS has no such states', async () => {
    const vault = await startVaultServer();
    await call('post', '/minio/admin/v3/config/kms_vault/stateless')
      .send({ endpoint: vault.url, token: vault.rootToken, key_name: 'theirs', create_key: true, enabled: true })
      .expect(200);
    const path = `${KEYS}/${encodeURIComponent('vault:stateless/theirs')}`;
    const kept = { key_id: 'theirs', kms: 'vault:stateless', state_kept_here: true };
    expect((await call('post', `${path}/disable`).expect(200)).body).toMatchObject({ ...kept, state: 'disabled' });
    await call('post', `${path}/rotate`).expect(409);
    expect((await call('post', `${path}/enable`).expect(200)).body).not.toHaveProperty('state_kept_here');
    for (const days of [6, 31]) {
      await call('post', `${path}/deletion`).send({ pending_window_in_days: days }).expect(400);
    }
    const { body } = await call('post', `${path}/deletion`)
      .send({ pending_window_in_days: 30, confirm_key_id: 'vault:stateless/theirs' })
      .expect(200);
    expect(body.key).toMatchObject({ ...kept, state: 'pending-deletion', deletion_date: expect.any(String) });
    await call('post', `${path}/enable`).expect(409);
    expect((await call('delete', `${path}/deletion`).expect(200)).body).toMatchObject({ ...kept, state: 'disabled' });
    await vault.close();
  });

  it('is not deleted while a bucket names it, unless its id is repeated', async () => {
    await call('post', KEYS).send({ key_id: 'named' }).expect(201);
    const buckets = admin.app.get(BucketService, { strict: false });
    await buckets.create('photos', 'owner');
    await buckets.setEncryption('photos', { mode: 'sse-kms', keyId: 'named' } as never);
    const { body: impact } = await call('get', `${KEYS}/named/impact`).expect(200);
    expect(impact).toMatchObject({
      key_id: 'named',
      objects: 0,
      references: [{ kind: 'bucket-default-encryption', id: 'photos' }],
    });
    const refused = await call('post', `${KEYS}/named/deletion`).send({ confirm_key_id: 'another' }).expect(409);
    expect(refused.body).toMatchObject({
      type: 'urn:strongroom:problem:KeyStillReferenced',
      details: { bucket_defaults: 'photos' },
      remedy: expect.stringContaining('confirm_key_id'),
    });
    expect((await call('get', `${KEYS}/named`)).body.state).toBe('enabled');
    const { body: done } = await call('post', `${KEYS}/named/deletion`)
      .send({ confirm_key_id: 'builtin:default/named' })
      .expect(200);
    expect(done.key.state).toBe('pending-deletion');
    await buckets.setEncryption('photos', null);
  });

  it('is not deleted while it is the default, and never when it is the server’s own', async () => {
    const { body: status } = await call('get', '/minio/kms/v1/status').expect(200);
    const own = status['default-key-id'] as string;
    await call('get', `/minio/kms/v1/key/status?key-id=${own}`).expect(200);
    const { body } = await call('get', `${KEYS}/${own}/impact`).expect(200);
    expect(body.references).toContainEqual(expect.objectContaining({ kind: 'service-default-key' }));
    await call('post', `${KEYS}/${own}/deletion`).send({}).expect(409);
  });

  it('is for those to change whose policies name it', async () => {
    await call('post', '/api/v1/users').send({ name: 'keeper' }).expect(201);
    const policy = {
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Action: ['kms:CreateKey', 'kms:DescribeKey', 'kms:TagResource', 'kms:ListKeys'],
          Resource: ['arn:aws:kms:::key/keeper-*'],
        },
      ],
    };
    await call('put', '/api/v1/policies/keeper').send(policy).expect(200);
    await call('post', '/api/v1/policies/keeper/attach').send({ user: 'keeper' }).expect(204);
    const { body } = await call('post', '/api/v1/access-keys').send({ userName: 'keeper' }).expect(201);
    const credentials = [body.accessKeyId as string, body.secretKey as string] as const;
    await call('post', KEYS, credentials).send({ key_id: 'keeper-1' }).expect(201);
    await call('post', KEYS, credentials).send({ key_id: 'other' }).expect(403);
    await call('post', KEYS, credentials).send({}).expect(403);
    await call('patch', `${KEYS}/keeper-1`, credentials)
      .send({ tags: { a: 'b' } })
      .expect(200);
    await call('patch', `${KEYS}/keeper-1`, credentials).send({ description: 'x' }).expect(403);
    await call('patch', `${KEYS}/keeper-1`, credentials)
      .send({ tags: { a: null } })
      .expect(403);
    await call('post', `${KEYS}/keeper-1/deletion`, credentials).send({}).expect(403);
    await call('get', `${KEYS}/missing`, credentials).expect(403);
    await call('get', `${KEYS}/page-1`, credentials).query({ 'key-id': 'keeper-1' }).expect(403);
    const { body: listed } = await call('get', KEYS, credentials).expect(200);
    expect(listed.keys.map((key: { key_id: string }) => key.key_id)).toEqual(['keeper-1']);
  });
});
