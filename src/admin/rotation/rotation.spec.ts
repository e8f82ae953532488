import request, { type Test } from 'supertest';
import { ROOT_PASSWORD, ROOT_USER, startAdminApp, type AdminApp } from '../../../test/support/admin-app';
import { AuditReader } from '../../audit/audit-reader.service';
import { KmsService } from '../../kms/kms.service';

const KMS = '/api/v1/kms';

type Method = 'get' | 'post' | 'put' | 'delete';

describe('rotation policies', () => {
  let admin: AdminApp;
  const call = (
    method: Method,
    path: string,
    credentials: readonly [string, string] = [ROOT_USER, ROOT_PASSWORD],
  ): Test => request(admin.app.getHttpServer())[method](path).auth(credentials[0], credentials[1]);

  beforeAll(async () => {
    admin = await startAdminApp();
    await call('post', `${KMS}/keys`).send({ key_id: 'turning' }).expect(201);
  });
  afterAll(() => admin.close());

  it('are set, shown with the key, replaced and removed', async () => {
    const path = `${KMS}/keys/turning/rotation-policy`;
    await call('get', path).expect(404);
    const { body: set } = await call('put', path).send({ max_age_days: 90, rewrap: true }).expect(200);
    expect(set).toEqual({
      kms: 'builtin:default',
      key_id: 'turning',
      max_age_days: 90,
      automatic: true,
      rewrap: true,
      updated_at: expect.any(String),
      updated_by: 'root',
    });
    expect((await call('get', path).expect(200)).body).toEqual(set);
    const { body: key } = await call('get', `${KMS}/keys/turning`).expect(200);
    expect(key.rotation).toMatchObject({ due: false, reason: 'never-rotated', wraps: 0, policy: set });
    const due = Date.parse(key.rotation.next_due as string) - Date.parse(key.rotation.since as string);
    expect(due).toBe(90 * 86_400_000);
    await call('put', path).send({ max_wraps: 1_000_000, automatic: false }).expect(200);
    const { body: replaced } = await call('get', path).expect(200);
    expect(replaced).toMatchObject({ max_wraps: 1_000_000, automatic: false, rewrap: false });
    expect(replaced).not.toHaveProperty('max_age_days');
    const { body: page } = await call('get', `${KMS}/keys?pattern=turning`).expect(200);
    expect(page.keys[0].rotation.policy).toEqual(replaced);
    await call('delete', path).expect(204);
    await call('delete', path).expect(404);
    const { records } = await admin.app.get(AuditReader, { strict: false }).find({ keyId: 'turning' }, undefined, 20);
    const written = records.filter(({ record }) => record.operation === 'AdminPutKeyRotationPolicy');
    expect(written).toHaveLength(2);
    const { rule } = JSON.parse(written[1]?.record.details ?? '{}') as { rule: string };
    expect(JSON.parse(rule)).toEqual({ maxAgeDays: 90, automatic: true, rewrap: true });
  });

  it('of a KMS apply to its keys that have none', async () => {
    const path = `${KMS}/targets/builtin:default/rotation-policy`;
    await call('get', path).expect(404);
    const { body: set } = await call('put', path).send({ max_age_days: 365 }).expect(200);
    expect(set).not.toHaveProperty('key_id');
    const { body: key } = await call('get', `${KMS}/keys/turning`).expect(200);
    expect(key.rotation.policy).toEqual(set);
    await call('put', `${KMS}/keys/turning/rotation-policy`).send({ max_age_days: 7 }).expect(200);
    const { body: all } = await call('get', `${KMS}/rotation-policies`).expect(200);
    expect(all.policies.map((each: { key_id?: string }) => each.key_id)).toEqual([undefined, 'turning']);
    await call('delete', path).expect(204);
    expect((await call('get', `${KMS}/keys/turning`).expect(200)).body.rotation.policy.max_age_days).toBe(7);
    await call('put', `${KMS}/targets/vault:none/rotation-policy`).send({ max_age_days: 7 }).expect(501);
  });

  it.each([
    [{}, 'max_age_days'],
    [{ max_age_days: 0 }, 'max_age_days'],
    [{ max_age_days: 3_651 }, 'max_age_days'],
    [{ max_age_days: 1.5 }, 'max_age_days'],
    [{ max_age_days: '90' }, 'max_age_days'],
    [{ max_wraps: 9_999 }, 'max_wraps'],
    [{ max_wraps: 2 ** 32 + 1 }, 'max_wraps'],
    [{ max_age_days: 1, rewrap: 'yes' }, 'rewrap'],
    [{ max_age_days: 1, period: 1 }, 'period'],
  ])('refuse %j, naming %s', async (body, field) => {
    const { body: problem } = await call('put', `${KMS}/keys/turning/rotation-policy`).send(body).expect(400);
    expect(problem.problems.map((each: { field: string }) => each.field)).toContain(field);
  });

  it('end with their key: another of the same name starts without', async () => {
    await call('put', `${KMS}/keys/missing/rotation-policy`).send({ max_age_days: 1 }).expect(404);
    await admin.app.get(KmsService, { strict: false }).createKey('again');
    await call('put', `${KMS}/keys/again/rotation-policy`).send({ max_age_days: 1 }).expect(200);
    await admin.database.database.dataSource.query(`DELETE FROM kms_key WHERE key_id = 'again'`);
    await call('post', `${KMS}/keys`).send({ key_id: 'again' }).expect(201);
    expect((await call('get', `${KMS}/keys/again`).expect(200)).body.rotation).not.toHaveProperty('policy');
  });

  it('are for those to change who may rotate the key, and of a KMS who may configure it', async () => {
    await call('post', '/api/v1/users').send({ name: 'keeper' }).expect(201);
    const policy = {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: ['kms:RotateKey'], Resource: ['arn:aws:kms:::key/turning'] }],
    };
    await call('put', '/api/v1/policies/keeper').send(policy).expect(200);
    await call('post', '/api/v1/policies/keeper/attach').send({ user: 'keeper' }).expect(204);
    const { body } = await call('post', '/api/v1/access-keys').send({ userName: 'keeper' }).expect(201);
    const keeper = [body.accessKeyId as string, body.secretKey as string] as const;
    const rule = { max_age_days: 30 };
    await call('put', `${KMS}/keys/turning/rotation-policy`, keeper).send(rule).expect(200);
    await call('put', `${KMS}/keys/again/rotation-policy`, keeper).send(rule).expect(403);
    await call('get', `${KMS}/keys/turning/rotation-policy`, keeper).expect(403);
    await call('put', `${KMS}/targets/builtin:default/rotation-policy`, keeper).send(rule).expect(403);
    const rewrapping = { ...rule, rewrap: true };
    await call('put', `${KMS}/keys/turning/rotation-policy`, keeper).send(rewrapping).expect(403);
    const job = { Effect: 'Allow', Action: ['admin:CreateRewrapJob'], Resource: ['*'] };
    const keys = {
      Effect: 'Allow',
      Action: ['kms:ReEncryptFrom', 'kms:ReEncryptTo'],
      Resource: ['arn:aws:kms:::key/turning'],
    };
    const more = { ...policy, Statement: [...policy.Statement, job, keys] };
    await call('put', '/api/v1/policies/keeper').send(more).expect(200);
    await call('put', `${KMS}/keys/turning/rotation-policy`, keeper).send(rewrapping).expect(200);
    const configuring = { Effect: 'Allow', Action: ['kms:Configure'], Resource: ['*'] };
    const still = { ...more, Statement: [...more.Statement, configuring] };
    await call('put', '/api/v1/policies/keeper').send(still).expect(200);
    await call('put', `${KMS}/targets/builtin:default/rotation-policy`, keeper).send(rewrapping).expect(403);
    await call('delete', `${KMS}/keys/turning/rotation-policy`, keeper).expect(204);
  });
});
