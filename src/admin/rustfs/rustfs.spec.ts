import request, { type Test } from 'supertest';
import { ROOT_PASSWORD, ROOT_USER, startAdminApp, type AdminApp } from '../../../test/support/admin-app';
import { BucketService } from '../../object-storage/bucket.service';
import { mapConfiguration } from './rustfs-configure';

const KMS = '/rustfs/admin/v3/kms';
const DATE = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/;

type Method = 'get' | 'post' | 'put' | 'delete';

/** The same answer with what differs from run to run replaced. */
function steady(body: unknown): unknown {
  return JSON.parse(JSON.stringify(body), (name, value: unknown) => {
    if (typeof value === 'string' && DATE.test(value)) {
      return '<date>';
    }
    return /^(hit|miss|entry|eviction)_count$/.test(name) ? '<count>' : value;
  });
}

describe('the KMS routes of RustFS', () => {
  let admin: AdminApp;
  const call = (
    method: Method,
    path: string,
    credentials: readonly [string, string] = [ROOT_USER, ROOT_PASSWORD],
  ): Test => request(admin.app.getHttpServer())[method](`${KMS}${path}`).auth(credentials[0], credentials[1]);
  const asRoot = (method: Method, path: string): Test =>
    request(admin.app.getHttpServer())[method](path).auth(ROOT_USER, ROOT_PASSWORD);
  const create = (name: string): Test => call('post', '/keys').send({ tags: { name } });

  beforeAll(async () => {
    admin = await startAdminApp();
  });
  afterAll(() => admin.close());

  it('name, describe and change keys', async () => {
    const made = await call('post', '/keys')
      .send({ key_usage: 'EncryptDecrypt', description: 'first', tags: { name: 'shape', team: 'a' } })
      .expect(200);
    expect(steady(made.body)).toMatchSnapshot('created');
    await create('shape').expect(409);
    await call('post', '/keys').send({ key_usage: 'SignVerify' }).expect(400);
    await call('post', '/keys').send({ unheard_of: 1 }).expect(400);
    expect(steady((await call('get', '/keys/shape?impact=true').expect(200)).body)).toMatchSnapshot('described');
    await call('get', '/keys/missing').expect(404);
    for (const [path, body] of [
      ['update-description', { description: 'second' }],
      ['tag', { tags: { team: 'b', more: 'x' } }],
      ['untag', { tag_keys: ['more'] }],
      ['rotate', {}],
      ['disable', {}],
      ['enable', {}],
    ] as const) {
      const { body: answer } = await call('post', `/keys/${path}`)
        .send({ key_id: 'shape', ...body })
        .expect(200);
      expect(steady(answer)).toMatchSnapshot(path);
      await call('post', `/keys/${path}`)
        .send({ key_id: 'missing', ...body })
        .expect(404);
      await call('post', `/keys/${path}`).send(body).expect(400);
    }
  });

  it('make data keys under enabled keys only', async () => {
    await create('data').expect(200);
    const generate = (body: object): Test => call('post', '/generate-data-key').send({ key_id: 'data', ...body });
    const { body } = await generate({ key_spec: 'AES_256', encryption_context: { purpose: 'test' } }).expect(200);
    expect(Object.keys(body as object)).toEqual(['key_id', 'plaintext_key', 'ciphertext_blob']);
    expect(Buffer.from(body.plaintext_key as string, 'base64')).toHaveLength(32);
    await generate({ key_spec: 'AES_128' }).expect(400);
    await generate({ encryption_context: { purpose: 1 } }).expect(400);
    await call('post', '/keys/disable').send({ key_id: 'data' }).expect(200);
    await generate({}).expect(400);
    await asRoot('post', '/minio/admin/v3/kms/key/create?key-id=data').expect(409);
  });

  it('list keys by the rules of RustFS', async () => {
    await create('list-1').expect(200);
    await create('list-2').expect(200);
    await call('post', '/keys/disable').send({ key_id: 'list-2' }).expect(200);
    for (const limit of ['abc', '-1', '']) {
      await call('get', `/keys?limit=${limit}`).expect(400);
    }
    const { body: none } = await call('get', '/keys?limit=0').expect(200);
    expect(none).toEqual({ success: true, message: 'keys listed', keys: [], truncated: false, next_marker: null });
    const { body: all } = await call('get', '/keys?limit=5000').expect(200);
    expect(all.truncated).toBe(false);
    const { body: first } = await call('get', '/keys?limit=1&marker=list-0').expect(200);
    expect(steady(first)).toMatchSnapshot('page');
    const { body: filtered } = await call('get', '/keys?limit=1&marker=list-1&status_filter=Active').expect(200);
    expect(filtered).toMatchObject({ keys: [], truncated: true, next_marker: 'list-2' });
    await call('get', '/keys?usage_filter=SignVerify')
      .expect(200)
      .expect((response) => expect(response.body.keys).toEqual([]));
  });

  it('delete keys after a time, from body or query, and not while they are in use', async () => {
    for (const name of ['end-1', 'end-2', 'end-3']) {
      await create(name).expect(200);
    }
    const remove = (body: object, query = ''): Test => call('delete', `/keys/delete${query}`).send(body);
    await remove({ key_id: 'end-1', pending_window_in_days: 6 }).expect(400);
    await remove({ key_id: 'end-1', force_immediate: true }).expect(501);
    await remove({ key_id: 'end-1' }, '?force_immediate=true').expect(400);
    await remove({ key_id: 'end-1' }, '?keyId=end-2').expect(400);
    await remove({}).expect(400);
    await remove({ key_id: 'missing' }).expect(404);
    const { body } = await remove({ key_id: 'end-1', pending_window_in_days: 7 }).expect(200);
    expect(steady(body)).toMatchSnapshot('deleted');
    await call('delete', '/keys/delete?keyId=end-2&pending_window_in_days=7').expect(200);
    await call('post', '/generate-data-key').send({ key_id: 'end-1' }).expect(400);
    const { body: back } = await call('post', '/keys/cancel-deletion').send({ key_id: 'end-1' }).expect(200);
    expect(steady(back)).toMatchSnapshot('cancelled');
    await call('post', '/keys/cancel-deletion').send({ key_id: 'end-1' }).expect(400);
    const buckets = admin.app.get(BucketService, { strict: false });
    await buckets.create('photos', 'owner');
    await buckets.setEncryption('photos', { mode: 'sse-kms', keyId: 'end-3' } as never);
    await remove({ key_id: 'end-3' }).expect(409);
    await remove({ key_id: 'end-3', confirm_key_id: 'end-3' }).expect(200);
  });

  it('serve the older names with bare answers', async () => {
    const { body: made } = await call('post', '/create-key')
      .send({ tags: { name: 'old-1' } })
      .expect(200);
    expect(steady(made)).toMatchSnapshot('legacy created');
    await call('post', '/key/create?key-id=old-2').expect(200);
    for (const path of ['/describe-key?keyId=old-1', '/key/status?key-id=old-1']) {
      expect(Object.keys((await call('get', path).expect(200)).body as object)).toEqual(['key_metadata']);
    }
    await call('get', '/describe-key?keyId=missing').expect(404);
    const { body: page } = await call('get', '/list-keys?limit=1').expect(200);
    expect(Object.keys(page as object)).toEqual(['keys', 'truncated', 'next_marker']);
  });

  it('ask for the permission of each route, per key where it is about one', async () => {
    await asRoot('post', '/api/v1/users').send({ name: 'keeper' }).expect(201);
    const policy = {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: ['kms:*'], Resource: ['arn:aws:kms:::key/keeper-*'] }],
    };
    await asRoot('put', '/api/v1/policies/keeper').send(policy).expect(200);
    await asRoot('post', '/api/v1/policies/keeper/attach').send({ user: 'keeper' }).expect(204);
    const { body } = await asRoot('post', '/api/v1/access-keys').send({ userName: 'keeper' }).expect(201);
    const keeper = [body.accessKeyId as string, body.secretKey as string] as const;
    await call('post', '/keys', keeper)
      .send({ tags: { name: 'keeper-1' } })
      .expect(200);
    await call('post', '/keys', keeper)
      .send({ tags: { name: 'other' } })
      .expect(403);
    await call('get', '/keys/shape', keeper).expect(403);
    await call('delete', '/keys/delete?keyId=keeper-1', keeper).send({ key_id: 'shape' }).expect(400);
    await call('post', '/keys/rotate?keyId=shape', keeper).send({ key_id: 'keeper-1' }).expect(403);
    for (const path of ['/stop', '/start', '/configure', '/clear-cache', '/backup', '/restore']) {
      await call('post', path, keeper).send({}).expect(403);
    }
    const { body: listed } = await call('get', '/keys', keeper).expect(200);
    expect(listed.keys.map((key: { key_id: string }) => key.key_id)).toEqual(['keeper-1']);
  });

  it('tell the state, and say that backups are not set up', async () => {
    expect(steady((await call('get', '/config').expect(200)).body)).toMatchSnapshot('config');
    expect(steady((await call('get', '/service-status').expect(200)).body)).toMatchSnapshot('service status');
    const { body } = await call('get', '/status').expect(200);
    const { backend_type, backend_status, cache_enabled, cache_stats, default_key_id, capabilities } = body;
    expect(
      steady({ backend_type, backend_status, cache_enabled, cache_stats, default_key_id, capabilities }),
    ).toMatchSnapshot('status');
    expect((await call('post', '/clear-cache').expect(200)).body).toEqual({
      status: 'success',
      message: 'cache cleared',
    });
    expect((await call('get', '/backup').expect(200)).body).toMatchObject({
      export_supported: false,
      backup_root: null,
    });
    await call('post', '/backup').expect(412);
  });

  it('stop and start the default KMS', async () => {
    await create('stopping').expect(200);
    const generate = (): Test => call('post', '/generate-data-key').send({ key_id: 'stopping' });
    const { body: stopped } = await call('post', '/stop').expect(200);
    expect(stopped).toEqual({ success: true, message: 'KMS stopped', status: 'Configured' });
    await generate().expect(503);
    const { body: started } = await call('post', '/start').send({}).expect(200);
    expect(started).toEqual({ success: true, message: 'KMS started', status: 'Running' });
    await generate().expect(200);
    expect((await call('post', '/start').expect(200)).body.message).toBe('KMS is running already');
  });

  it('configure a KMS, and change nothing when that fails', async () => {
    const vault = {
      backend_type: 'VaultTransit',
      address: 'http://127.0.0.1:9',
      auth_method: { Token: { token: 't' } },
      default_key_id: 'k',
    };
    for (const wrong of [
      {},
      { backend_type: 'Clay' },
      { ...vault, unheard_of: 1 },
      { ...vault, allow_insecure_dev_defaults: true, region: 'eu-central-1' },
      { ...vault, auth_method: { Token: { token: 't', more: 1 } } },
      vault,
      { ...vault, allow_insecure_dev_defaults: true, retry_attempts: 1, timeout_seconds: 1 },
    ]) {
      await call('post', '/configure').send(wrong).expect(400);
    }
    expect((await call('get', '/config').expect(200)).body.backend).toBe('Local');
    const { body } = await call('post', '/reconfigure')
      .send({ backend_type: 'Local', default_key_id: 'local-default', enable_cache: false })
      .expect(200);
    expect(body).toEqual({ success: true, message: 'KMS configured and running', status: 'Running' });
    expect((await call('get', '/config').expect(200)).body).toMatchObject({
      backend: 'Local',
      cache_enabled: false,
      default_key_id: 'local-default',
    });
  });
});

describe('mapConfiguration', () => {
  const vault = { address: 'https://vault:8200', default_key_id: 'k' };
  const AppRole = { role_id: 'r', secret_id: 's', mount: 'apps' };

  it('maps every backend onto a document', () => {
    expect(
      mapConfiguration({
        ...vault,
        backend_type: 'Vault',
        auth_method: { Token: { token: '' } },
        timeout_seconds: 900,
      }),
    ).toMatchObject({
      subsystem: 'kms_vault',
      values: { endpoint: 'https://vault:8200', key_name: 'k', auth_type: 'token', token: '', timeout: '300s' },
    });
    expect(
      mapConfiguration({ ...vault, backend_type: 'VaultKV2', kv_mount: 'kv', auth_method: { AppRole } }),
    ).toMatchObject({
      subsystem: 'kms_vault_kv',
      values: { mount_path: 'kv', auth_type: 'approle', auth_approle_id: 'r', auth_approle_mount: 'apps' },
    });
    expect(
      mapConfiguration({ backend_type: 'aws-kms', region: 'eu-central-1', default_key_id: 'alias/x' }),
    ).toMatchObject({ subsystem: 'kms_aws', values: { region: 'eu-central-1', key_name: 'alias/x' } });
    expect(mapConfiguration({ backend_type: 'Static', key_id: 'k', secret_key: 'abc=' })).toMatchObject({
      subsystem: 'kms_builtin',
      values: { key_name: 'k', minio_secret_key: 'k:abc=' },
    });
  });

  it('refuses what is insecure or ambiguous', () => {
    const token = { Token: { token: 'dev-token' } };
    const wrong = { ...vault, backend_type: 'VaultTransit', skip_tls_verify: true, auth_method: token };
    expect(() => mapConfiguration({ ...wrong, address: 'http://vault' })).toThrow(/TLS.*skip_tls_verify.*dev-token/);
    expect(() => mapConfiguration({ ...wrong, allow_insecure_dev_defaults: true })).not.toThrow();
    const two = { ...vault, backend_type: 'VaultTransit', auth_method: { AppRole, Token: { token: 't' } } };
    expect(() => mapConfiguration(two)).toThrow(/one of/);
  });
});
