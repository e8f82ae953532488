import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import request, { type Test } from 'supertest';
import { ROOT_PASSWORD, ROOT_USER, startAdminApp, type AdminApp } from '../../../test/support/admin-app';
import { bodyOf, contentOf } from '../../../test/support/storage';
import { ConfigManager } from '../../config/config-manager';
import type { EncryptionRequest } from '../../crypto/encryption.types';
import type { GeneratedDataKey } from '../../kms/data-keys';
import { KmsService } from '../../kms/kms.service';
import { BucketService } from '../../object-storage/bucket.service';
import { ObjectService } from '../../object-storage/object.service';

const OWN = '/api/v1/kms/keyring-backups';
const RUSTFS = '/rustfs/admin/v3/kms';
const CONTEXT = { bucket: 'bucket/key' };

type Method = 'get' | 'post' | 'put' | 'delete';

describe('backups of the embedded keyring', () => {
  const rootKey = randomBytes(32).toString('base64');
  const kek = randomBytes(32).toString('base64');
  let directory: string;
  let environment: Record<string, string>;
  let app: AdminApp;
  let wrapped: GeneratedDataKey[];

  const on = (target: AdminApp, method: Method, path: string): Test =>
    request(target.app.getHttpServer())[method](path).auth(ROOT_USER, ROOT_PASSWORD);
  const call = (method: Method, path: string): Test => on(app, method, path);
  const kms = (target: AdminApp = app): KmsService => target.app.get(KmsService, { strict: false });
  const sql = (text: string): Promise<unknown> => app.database.database.dataSource.query(text);
  const backUp = (backup_id: string): Test => call('post', OWN).send({ backup_id }).expect(201);
  const order = (bundle: string, policy: string, more: object = {}): object => ({
    bundle,
    confirm_backup_id: bundle,
    conflict_policy: policy,
    ...more,
  });
  /** A copy of a bundle in which one file is another. */
  const altered = async (
    name: string,
    file: string,
    change: (bytes: Buffer) => Buffer | undefined,
  ): Promise<string> => {
    const copy = `${name}-${randomBytes(4).toString('hex')}`;
    await mkdir(join(directory, copy));
    for (const each of await readdir(join(directory, name))) {
      await copyFile(join(directory, name, each), join(directory, copy, each));
    }
    const bytes = change(await readFile(join(directory, name, file)));
    await (bytes === undefined ? rm(join(directory, copy, file)) : writeFile(join(directory, copy, file), bytes));
    return copy;
  };
  const flipped = (bytes: Buffer): Buffer => {
    const copy = Buffer.from(bytes);
    copy[copy.length - 20] = (copy[copy.length - 20] ?? 0) ^ 1;
    return copy;
  };

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'strongroom-backups-'));
    environment = {
      STRONGROOM_ROOT_KEY: rootKey,
      STRONGROOM_KMS_BACKUP_DIR: directory,
      STRONGROOM_KMS_BACKUP_KEK: kek,
      RUSTFS_KMS_BACKUP_KEK_ID: 'safe',
    };
    app = await startAdminApp(environment);
    await kms().createKey('kept');
    await call('post', '/api/v1/kms/keys')
      .send({ key_id: 'noted', description: 'a note', tags: { team: 'a' } })
      .expect(201);
    wrapped = [await kms().generate('kept', CONTEXT)];
    await kms().rotateKey('kept');
    wrapped.push(await kms().generate('kept', CONTEXT));
  });
  afterAll(async () => {
    await app.close();
    await rm(directory, { recursive: true });
  });

  const expectOpens = async (target: AdminApp): Promise<void> => {
    for (const { plaintext, wrapped: data } of wrapped) {
      expect(await kms(target).unwrap(data, CONTEXT, { fresh: true })).toEqual(plaintext);
    }
  };

  it('hold every version, sealed, and give back what is lost', async () => {
    const { body: made } = await backUp('whole');
    expect(made).toEqual({
      backup_id: 'whole',
      snapshot_generation: expect.any(Number),
      deployment_identity: expect.stringMatching(/^[0-9a-f-]{36}$/),
      artifact_count: 2,
      manifest_digest: expect.stringMatching(/^[0-9a-f]{64}$/),
      backup_kek_id: 'safe',
      backup_kek_version: 1,
      sanitized_config_included: true,
    });
    const files = await readdir(join(directory, 'whole'));
    expect(files.sort()).toEqual(['key-material.sealed', 'kms-config.sealed', 'manifest.json']);
    for (const file of files) {
      expect((await stat(join(directory, 'whole', file))).mode & 0o777).toBe(0o600);
      expect((await readFile(join(directory, 'whole', file))).includes('noted')).toBe(false);
    }
    await sql(`DELETE FROM kms_key WHERE key_id IN ('kept', 'noted')`);
    await sql(`DELETE FROM kms_key_note WHERE key_id = 'noted'`);
    const { body: seen } = await call('post', `${OWN}/dry-run`).send({ bundle: 'whole' }).expect(200);
    expect(seen).toMatchObject({
      report: { backup_id: 'whole', blockers: [], conflicts: [], external_mismatches: [] },
      config_comparison: { identical: true },
    });
    expect(await sql(`SELECT count(*)::int AS n FROM kms_key WHERE key_id = 'kept'`)).toEqual([{ n: 0 }]);
    const { body: done } = await call('post', `${OWN}/restore`)
      .send(order('whole', 'restore-into-empty-target'))
      .expect(200);
    expect(done).toMatchObject({ backup_id: 'whole', restored_key_ids: ['kept', 'noted'], resumed: false });
    await expectOpens(app);
    expect((await call('get', '/api/v1/kms/keys/noted').expect(200)).body).toMatchObject({
      description: 'a note',
      tags: { team: 'a' },
    });
    const { body: again } = await call('post', `${OWN}/restore`)
      .send(order('whole', 'restore-into-empty-target'))
      .expect(200);
    expect(again).toMatchObject({ restored_key_ids: [], unchanged_key_ids: expect.arrayContaining(['kept', 'noted']) });
  });

  it('make objects readable again whose keys were lost', async () => {
    const objects = (target: AdminApp): ObjectService => target.app.get(ObjectService, { strict: false });
    const read = async (target: AdminApp, key: string): Promise<string> =>
      (await contentOf(await objects(target).open({ bucket: 'sealed', key }))).toString();
    const requests: readonly (readonly [string, EncryptionRequest])[] = [
      ['by-the-server', { mode: 'sse-s3' }],
      ['by-a-key', { mode: 'sse-kms', keyId: 'kept', context: {} }],
    ];
    await app.app.get(BucketService, { strict: false }).create('sealed', 'owner');
    for (const [key, encryption] of requests) {
      const body = bodyOf(`content ${key}`);
      await objects(app).put({ bucket: 'sealed', key, body, metadata: { user: {} }, owner: 'owner', encryption });
    }
    await backUp('with-objects');
    await sql('DELETE FROM kms_key');
    const fresh = await startAdminApp(environment, app.database);
    try {
      for (const [key] of requests) {
        await expect(read(fresh, key)).rejects.toMatchObject({ kind: 'kms-key-not-found' });
      }
      await on(fresh, 'post', `${OWN}/restore`).send(order('with-objects', 'restore-into-empty-target')).expect(200);
      for (const [key] of requests) {
        expect(await read(fresh, key)).toBe(`content ${key}`);
      }
    } finally {
      await fresh.close();
    }
  });

  it('show key material nowhere, and leave a record of who asked', async () => {
    const material = randomBytes(32);
    const clear = [
      material,
      ...(['hex', 'base64', 'base64url'] as const).map((each) => Buffer.from(material.toString(each))),
    ];
    await call('post', '/api/v1/kms/keys')
      .send({ key_id: 'known', material: material.toString('base64') })
      .expect(201);
    const answers = [
      await backUp('recorded'),
      await call('post', `${OWN}/dry-run`).send({ bundle: 'recorded' }).expect(200),
      await call('post', `${OWN}/restore`).send(order('recorded', 'restore-into-empty-target')).expect(200),
      await call('post', `${OWN}/restore`).send(order('recorded', 'fail')).expect(409),
    ].map(({ text }) => Buffer.from(text));
    const files = await Promise.all(
      (await readdir(join(directory, 'recorded'))).map((file) => readFile(join(directory, 'recorded', file))),
    );
    const records =
      (await sql(`SELECT operation, outcome, details FROM audit_record WHERE details::text LIKE '%recorded%'
      ORDER BY sequence`)) as { operation: string; outcome: string }[];
    expect(records.map(({ operation, outcome }) => [operation, outcome])).toEqual([
      ['AdminCreateKeyringBackup', 'success'],
      ['AdminRestoreKeyring', 'success'],
      ['AdminRestoreKeyring', 'failure'],
    ]);
    for (const text of [...answers, ...files, Buffer.from(JSON.stringify(records))]) {
      expect([...clear, Buffer.from(kek), Buffer.from(rootKey)].filter((each) => text.includes(each))).toEqual([]);
    }
  });

  it('are for those who may', async () => {
    await call('post', '/api/v1/users').send({ name: 'saver' }).expect(201);
    const Statement = [{ Effect: 'Allow', Action: 'kms:Backup', Resource: '*' }];
    await call('put', '/api/v1/policies/savers').send({ Version: '2012-10-17', Statement });
    await call('post', '/api/v1/policies/savers/attach').send({ user: 'saver' });
    const secretKey = 'secret-of-the-saver';
    await call('post', '/api/v1/access-keys').send({ userName: 'saver', accessKeyId: 'saver-key', secretKey });
    const asSaver = (method: Method, path: string): Test =>
      request(app.app.getHttpServer())[method](path).auth('saver-key', secretKey);
    await asSaver('post', OWN).send({ backup_id: 'saved' }).expect(201);
    for (const path of [`${OWN}/dry-run`, `${OWN}/restore`, `${RUSTFS}/restore/dry-run`, `${RUSTFS}/restore`]) {
      await asSaver('post', path).send({ bundle: 'saved' }).expect(403);
      await request(app.app.getHttpServer()).post(path).send({ bundle: 'saved' }).expect(401);
    }
    await request(app.app.getHttpServer()).post(OWN).send({}).expect(401);
  });

  it('open under another root key, when the first is lost', async () => {
    await backUp('disaster');
    const later = await startAdminApp(
      { ...environment, STRONGROOM_ROOT_KEY: randomBytes(32).toString('base64') },
      app.database,
    );
    try {
      await expect(kms(later).generate('kept', CONTEXT)).rejects.toMatchObject({ kind: 'kms-unavailable' });
      await on(later, 'post', OWN).send({}).expect(409);
      const { body: seen } = await on(later, 'post', `${OWN}/dry-run`).send({ bundle: 'disaster' }).expect(200);
      expect(seen.report.conflicts.map((each: { kind: string }) => each.kind)).toContain('key-already-exists');
      await on(later, 'post', `${OWN}/restore`).send(order('disaster', 'restore-into-empty-target')).expect(409);
      const { body: done } = await on(later, 'post', `${OWN}/restore`)
        .send(order('disaster', 'replace-unusable'))
        .expect(200);
      expect(done.restored_key_ids).toEqual(expect.arrayContaining(['kept', 'noted']));
      await expectOpens(later);
    } finally {
      await later.close();
    }
    await call('post', `${OWN}/restore`).send(order('disaster', 'replace-unusable')).expect(200);
    await expectOpens(app);
  });

  it('are refused when they were altered, cut, or are sealed by another key', async () => {
    await backUp('sound');
    await symlink(join(directory, 'sound'), join(directory, 'linked'));
    const linkedPart = await altered('sound', 'key-material.sealed', () => undefined);
    await symlink(join(directory, 'sound', 'key-material.sealed'), join(directory, linkedPart, 'key-material.sealed'));
    const damaged = [
      await altered('sound', 'key-material.sealed', flipped),
      await altered('sound', 'key-material.sealed', (bytes) => bytes.subarray(0, 40)),
      await altered('sound', 'kms-config.sealed', () => undefined),
      await altered('sound', 'manifest.json', (bytes) => bytes.subarray(0, 60)),
      await altered('sound', 'manifest.json', (bytes) => Buffer.from(bytes.toString().replace('"safe"', '"sane"'))),
      await altered('sound', 'manifest.json', (bytes) =>
        Buffer.from(bytes.toString().replace('"complete"', '"begun"')),
      ),
      await altered('sound', 'manifest.json', () => Buffer.from('null')),
      await altered('sound', 'key-material.sealed', (bytes) => Buffer.concat([bytes, Buffer.of(0)])),
      'linked',
      linkedPart,
    ];
    for (const bundle of damaged) {
      const { body: seen } = await call('post', `${OWN}/dry-run`).send({ bundle }).expect(200);
      expect(seen.report.blockers.map((each: { code: string }) => each.code)).toEqual(['bundle-corrupted']);
      await call('post', `${OWN}/restore`)
        .send({ ...order(bundle, 'replace-unusable'), confirm_backup_id: 'sound' })
        .expect(409);
    }
    for (const [variables, code] of [
      [{ RUSTFS_KMS_BACKUP_KEK_ID: 'other' }, 'wrong-backup-kek'],
      [{ STRONGROOM_KMS_BACKUP_KEK_VERSION: '2' }, 'wrong-backup-kek'],
      [{ STRONGROOM_KMS_BACKUP_KEK: randomBytes(32).toString('base64') }, 'bundle-corrupted'],
    ] as const) {
      const other = await startAdminApp({ ...environment, ...variables }, app.database);
      const { body: seen } = await on(other, 'post', `${OWN}/dry-run`).send({ bundle: 'sound' }).expect(200);
      expect(seen.report.blockers).toEqual([{ code, detail: expect.any(String) }]);
      await on(other, 'post', `${OWN}/restore`).send(order('sound', 'replace-unusable')).expect(409);
      await other.close();
    }
    await expectOpens(app);
  });

  it('leave keys alone that are others and in use, also in part', async () => {
    await kms().createKey('contested');
    await backUp('contest');
    await sql(`DELETE FROM kms_key WHERE key_id IN ('contested', 'noted')`);
    await kms().createKey('contested');
    const buckets = app.app.get(BucketService, { strict: false });
    await buckets.create('photos', 'owner');
    const restore = (policy: string, more: object = {}): Test =>
      call('post', `${OWN}/restore`).send(order('contest', policy, more));
    for (const policy of ['fail', 'restore-into-empty-target', 'replace-unusable']) {
      const { body } = await restore(policy).expect(409);
      expect(body.remedy).toBeDefined();
    }
    expect(await sql(`SELECT count(*)::int AS n FROM kms_key WHERE key_id = 'noted'`)).toEqual([{ n: 0 }]);
    await restore('replace-unusable', { confirm_backup_id: 'whole' }).expect(400);
    await restore('replace-unusable', { observed_generation: 4_000_000_000 }).expect(409);
    await call('post', '/api/v1/kms/keys/contested/disable').expect(200);
    const { body: done } = await restore('replace-unusable').expect(200);
    expect(done.restored_key_ids).toEqual(['contested', 'noted']);
    expect((await call('get', '/api/v1/kms/keys/contested').expect(200)).body.state).toBe('enabled');
  });

  it('belong to a deployment, and go to another only when that is said', async () => {
    await backUp('ours');
    const other = await startAdminApp(environment);
    try {
      const { body: seen } = await on(other, 'post', `${OWN}/dry-run`).send({ bundle: 'ours' }).expect(200);
      expect(seen.report.blockers).toEqual([{ code: 'deployment-mismatch', detail: expect.any(String) }]);
      await other.database.database.dataSource.query('DELETE FROM kms_key');
      await on(other, 'post', OWN).send({}).expect(409);
      await on(other, 'post', `${OWN}/restore`).send(order('ours', 'restore-into-empty-target')).expect(409);
      await on(other, 'post', `${OWN}/restore`)
        .send(order('ours', 'restore-into-empty-target', { allow_other_deployment: true }))
        .expect(200);
      await expectOpens(other);
    } finally {
      await other.close();
    }
  });

  it('have names that lead nowhere else, each once', async () => {
    await backUp('once');
    await call('post', OWN).send({ backup_id: 'once' }).expect(409);
    for (const name of ['', '.', '..', '../x', '.hidden', 'a/b', 'ä', 'x'.repeat(129)]) {
      await call('post', OWN).send({ backup_id: name }).expect(400);
      await call('post', `${OWN}/dry-run`).send({ bundle: name }).expect(400);
    }
    await call('post', `${OWN}/dry-run`).send({ bundle: 'missing' }).expect(404);
  });

  it('need a directory and a key that is not the root key', async () => {
    for (const [changes, reason] of [
      [{ STRONGROOM_KMS_BACKUP_DIR: '' }, 'STRONGROOM_KMS_BACKUP_DIR'],
      [{ STRONGROOM_KMS_BACKUP_KEK: '' }, 'STRONGROOM_KMS_BACKUP_KEK'],
      [{ STRONGROOM_KMS_BACKUP_KEK: rootKey }, 'is the root key'],
    ] as const) {
      const bare = await startAdminApp({ ...environment, ...changes }, app.database);
      const { body: status } = await on(bare, 'get', OWN).expect(200);
      expect(status).toMatchObject({ export_supported: false, backup_kek_configured: false, backup_root: null });
      expect(status.unavailable_reason).toContain(reason);
      await on(bare, 'post', OWN).send({}).expect(412);
      await on(bare, 'post', `${RUSTFS}/backup`).expect(412);
      await bare.close();
    }
  });

  it('are served in the shapes of RustFS while the keyring is the default KMS', async () => {
    const { body: status } = await call('get', `${RUSTFS}/backup`).expect(200);
    expect(status).toEqual({
      service_status: 'Running',
      backend: 'local',
      responsibility: 'full-material',
      export_supported: true,
      deployment_identity: expect.any(String),
      backup_root: directory,
      backup_kek_configured: true,
      backup_kek_id: 'safe',
      backup_kek_version: 1,
      target_key_dir: 'postgres:kms_key',
    });
    const { body: made } = await call('post', `${RUSTFS}/backup`).expect(200);
    expect(made.backup_id).toMatch(/^backup-[0-9a-f]{32}$/);
    const bundle = made.backup_id as string;
    await call('post', `${RUSTFS}/restore/dry-run`).send({ bundle }).expect(200);
    const restore = { bundle, confirm_backup_id: bundle, confirm_conflict_policy: 'restore-into-empty-target' };
    await call('post', `${RUSTFS}/restore`).send(restore).expect(409);
    await call('post', `${RUSTFS}/restore`).send({ bundle }).expect(400);
    await call('post', `${RUSTFS}/stop`).expect(200);
    await call('post', `${RUSTFS}/backup`).expect(503);
    const { body: done } = await call('post', `${RUSTFS}/restore`).send(restore).expect(200);
    expect(done).toMatchObject({ backup_id: bundle, restored_key_ids: [], salt_restored: false, resumed: false });
    await call('post', `${RUSTFS}/start`).expect(200);
    const abort = (confirm_target_key_dir: string): Test =>
      call('post', `${RUSTFS}/restore/abort`).send({ confirm_target_key_dir });
    await abort('/keys').expect(400);
    await abort('postgres:kms_key').expect(409);
    await app.app
      .get(ConfigManager, { strict: false })
      .set('kms', 'default', { default_target: 'vault:default' }, { changedBy: 'test' });
    const { body: elsewhere } = await call('get', `${RUSTFS}/backup`).expect(200);
    expect(elsewhere).toMatchObject({
      backend: 'vault-transit',
      responsibility: 'metadata-plus-external-root',
      export_supported: false,
      target_key_dir: null,
      unavailable_reason: expect.stringContaining('VaultTransit'),
    });
    for (const [path, body] of [
      ['backup', {}],
      ['restore', restore],
      ['restore/dry-run', { bundle }],
      ['restore/abort', { confirm_target_key_dir: 'postgres:kms_key' }],
    ] as const) {
      await call('post', `${RUSTFS}/${path}`).send(body).expect(501);
    }
  });
});
