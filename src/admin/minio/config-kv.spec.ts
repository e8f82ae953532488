import request from 'supertest';
import { startVaultServer, type FakeVault } from '../../../test/fakes/vault-server';
import { ROOT_PASSWORD, ROOT_USER, startAdminApp, type AdminApp } from '../../../test/support/admin-app';
import { MadminClient } from '../../../test/support/madmin-client';

const ADMIN = '/minio/admin/v3';
const APPLIED = 'x-minio-config-applied';

interface HistoryEntry {
  readonly restoreId: string;
  readonly createTime: string;
  readonly data: string;
}

describe('configuration over the wire of madmin', () => {
  let admin: AdminApp;
  let vault: FakeVault;
  let client: MadminClient;
  let url: string;

  beforeEach(async () => {
    vault = await startVaultServer();
    vault.createKey('app-key');
    admin = await startAdminApp({ STRONGROOM_KMS_VAULT_TIMEOUT: '9s' });
    url = (await admin.app.getUrl()).replace('[::1]', '127.0.0.1');
    // The kind whose key is derived quickly; the first test has them all.
    client = new MadminClient(url, ROOT_USER, ROOT_PASSWORD, 2);
  });
  afterEach(async () => {
    await admin.close();
    await vault.close();
  });

  const line = (more = ''): string =>
    `kms_vault endpoint=${vault.url} key_name=app-key token=${vault.rootToken} ${more}`.trim();
  const get = async (key: string): Promise<string> =>
    (await client.call('GET', `${ADMIN}/get-config-kv?key=${key}`)).text;
  const history = async (count = 10): Promise<HistoryEntry[]> =>
    JSON.parse((await client.call('GET', `${ADMIN}/list-config-history-kv?count=${count}`)).text) as HistoryEntry[];
  const failure = (text: string): object => JSON.parse(text) as object;

  it.each([0, 1, 2] as const)('sets with payloads of kind %i, and answers encrypted', async (kind) => {
    client = new MadminClient(url, ROOT_USER, ROOT_PASSWORD, kind);
    const set = await client.call('PUT', `${ADMIN}/set-config-kv`, line(`comment="${'x'.repeat(40_000)}"`));
    expect(set).toMatchObject({ status: 200, text: '' });
    expect(set.headers.get(APPLIED)).toBe('true');
    const shown = await client.call('GET', `${ADMIN}/get-config-kv?key=kms_vault`);
    expect(shown).toMatchObject({ status: 200, encrypted: true });
    expect(shown.text).toContain(`endpoint=${vault.url}`);
    expect(shown.text).toContain('token=*redacted*');
    expect(shown.text).not.toContain(vault.rootToken);
    expect(shown.text.split('\n')[0]).toBe('# STRONGROOM_KMS_VAULT_TIMEOUT=9s');
  });

  it('refuses what cannot be decrypted, read or understood, in the shape madmin reads', async () => {
    const stranger = new MadminClient(url, ROOT_USER, ROOT_PASSWORD, 2);
    const cases: [Promise<{ status: number; text: string }>, string][] = [
      [client.send('PUT', `${ADMIN}/set-config-kv`, Buffer.from('kms_vault a=b')), 'XMinioAdminConfigBadJSON'],
      [client.send('PUT', `${ADMIN}/set-config-kv`, Buffer.alloc(100)), 'XMinioAdminConfigBadJSON'],
      [stranger.call('PUT', `${ADMIN}/set-config-kv`, 'kms_vault endpoint'), 'XMinioAdminConfigBadJSON'],
      [stranger.call('PUT', `${ADMIN}/set-config-kv`, 'kms_vault endpoint=nonsense'), 'XMinioAdminConfigBadJSON'],
      [stranger.call('PUT', `${ADMIN}/set-config-kv`, 'kms_vault endpont=x'), 'XMinioConfigError'],
      [stranger.call('PUT', `${ADMIN}/set-config-kv`, line().replace(vault.rootToken, 'no')), 'XMinioConfigError'],
    ];
    for (const [answer, Code] of cases) {
      const { status, text } = await answer;
      expect(status).toBe(400);
      expect(failure(text)).toMatchObject({ Code, Message: expect.any(String), RequestId: expect.any(String) });
    }
    const large = await client.send('PUT', `${ADMIN}/set-config-kv`, Buffer.alloc(300 * 1024));
    expect(failure(large.text)).toMatchObject({ Code: 'XMinioAdminConfigTooLarge' });
    const unknown = await client.call('GET', `${ADMIN}/get-config-kv?key=kms_vault:nowhere`);
    expect([unknown.status, unknown.encrypted]).toEqual([404, false]);
    expect((await client.call('GET', '/minio/admin/v4/get-config-kv?key=kms_vault')).status).toBe(426);
  });

  it('serves every spelling of a document', async () => {
    expect(await get('kms_vault')).toMatch(/^# STRONG.*\nkms_vault enable=off endpoint=/);
    await client.call('PUT', `${ADMIN}/set-config-kv`, line().replace('kms_vault', 'kms_vault:eu'));
    expect((await get('kms_vault')).match(/^kms_vault\S*/gm)).toEqual(['kms_vault', 'kms_vault:eu']);
    expect((await get('kms_vault:eu')).match(/^kms_vault\S*/gm)).toEqual(['kms_vault:eu']);
    for (const key of ['kms_vault:', 'kms_vault:_', 'kms_vault:default']) {
      expect((await get(key)).match(/^kms_vault\S*/gm)).toEqual(['kms_vault']);
    }
  });

  it('deletes fields and documents, also those that are not there', async () => {
    await client.call('PUT', `${ADMIN}/set-config-kv`, line('comment=mine'));
    const field = await client.call('DELETE', `${ADMIN}/del-config-kv`, 'kms_vault comment');
    expect([field.status, field.headers.get(APPLIED)]).toEqual([200, 'true']);
    expect(await get('kms_vault')).toMatch(/comment=$/m);
    for (let times = 0; times < 2; times++) {
      expect((await client.call('DELETE', `${ADMIN}/del-config-kv`, 'kms_vault:eu')).status).toBe(200);
    }
    expect((await client.call('DELETE', `${ADMIN}/del-config-kv`, 'kms_nothing')).status).toBe(404);
  });

  it('restores from the history, and hides entries without deleting any', async () => {
    await client.call('PUT', `${ADMIN}/set-config-kv`, line('comment=one'));
    await client.call('PUT', `${ADMIN}/set-config-kv`, 'kms_vault comment=two');
    await client.call('DELETE', `${ADMIN}/del-config-kv`, 'kms_vault');
    const [one, two, deleted] = await history();
    expect([one?.data, two?.data, deleted?.data]).toEqual([
      expect.stringMatching(/^kms_vault .*comment=one/),
      expect.stringMatching(/token=\*redacted\*.*|comment=two/),
      '# kms_vault:default was reset',
    ]);
    expect(JSON.stringify(await history())).not.toContain(vault.rootToken);
    expect(await history(1)).toEqual([deleted]);
    const restore = (id: string | undefined): Promise<{ status: number; headers: Headers }> =>
      client.call('PUT', `${ADMIN}/restore-config-history-kv?restoreId=${id}`);
    expect((await restore(two?.restoreId)).headers.get(APPLIED)).toBe('true');
    expect(await get('kms_vault')).toContain('comment=two');
    expect((await restore(deleted?.restoreId)).status).toBe(200);
    expect(await get('kms_vault')).toContain('enable=off');
    const clear = (id: string): Promise<{ status: number }> =>
      client.call('DELETE', `${ADMIN}/clear-config-history-kv?restoreId=${id}`);
    expect((await clear(one?.restoreId ?? '')).status).toBe(200);
    expect((await history()).map((entry) => entry.restoreId)).not.toContain(one?.restoreId);
    expect((await restore(one?.restoreId)).status).toBe(404);
    expect((await clear('all')).status).toBe(200);
    expect(await history()).toEqual([]);
    expect((await clear('99999')).status).toBe(404);
    expect((await clear('some')).status).toBe(400);
    const { body } = await request(url).get(`${ADMIN}/config/kms_vault/default/history`).auth(ROOT_USER, ROOT_PASSWORD);
    expect(body.entries).toHaveLength(5);
  });

  it('replaces the documents of a whole configuration, all or none', async () => {
    await client.call('PUT', `${ADMIN}/set-config-kv`, line('comment=one'));
    const whole = await client.call('GET', `${ADMIN}/config`);
    expect(whole).toMatchObject({ status: 200, encrypted: true });
    expect(whole.text).toMatch(/^kms_vault endpoint/m);
    const changes = (await history()).length;
    expect((await client.call('PUT', `${ADMIN}/config`, whole.text)).status).toBe(200);
    expect(await history()).toHaveLength(changes);
    const broken = `${whole.text.replace('comment=one', 'comment=two')}\nkms_vault:eu endpoint=http://127.0.0.1:1 key_name=k token=t`;
    expect(failure((await client.call('PUT', `${ADMIN}/config`, broken)).text)).toMatchObject({
      Code: 'InvalidRequest',
      Message: expect.stringContaining('kms_vault:eu'),
    });
    expect(await history()).toHaveLength(changes);
    const changed = whole.text.replace('comment=one', 'comment=two');
    expect((await client.call('PUT', `${ADMIN}/config`, changed)).headers.get(APPLIED)).toBe('true');
    expect(await get('kms_vault')).toContain('comment=two');
    const off = `kms_vault enable=off comment=three\n# nothing else`;
    expect((await client.call('PUT', `${ADMIN}/config`, off)).status).toBe(200);
    expect((await client.call('GET', `${ADMIN}/config`)).text).toMatch(/^# kms_vault .*comment=three/m);
  });

  it('speaks plainly to every other client', async () => {
    const curl = request(url);
    const { body } = await curl.get(`${ADMIN}/config`).auth(ROOT_USER, ROOT_PASSWORD).expect(200);
    expect(body.config).toEqual(expect.any(Array));
    const asJson = await client.call('GET', `${ADMIN}/config`, undefined, { Accept: 'application/json' });
    expect(failure(asJson.text)).toHaveProperty('config');
    await curl
      .put(`${ADMIN}/set-config-kv`)
      .auth(ROOT_USER, ROOT_PASSWORD)
      .type('text/plain')
      .send(line('comment=curl'))
      .expect(200);
    const text = await curl.get(`${ADMIN}/get-config-kv?key=kms_vault`).auth(ROOT_USER, ROOT_PASSWORD).expect(200);
    expect(text.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(text.text).toContain('comment=curl');
    const listed = await curl.get(`${ADMIN}/list-config-history-kv`).auth(ROOT_USER, ROOT_PASSWORD).expect(200);
    expect(listed.body).toHaveLength(1);
  });

  it('helps with subsystems, fields and variables', async () => {
    const help = async (query: string): Promise<{ keysHelp: { key: string; optional: boolean; type: string }[] }> =>
      JSON.parse((await client.call('GET', `${ADMIN}/help-config-kv?${query}`)).text) as never;
    expect((await help('subSys=&key=')).keysHelp.map(({ key }) => key)).toContain('kms_vault');
    const { keysHelp } = await help('subSys=kms_vault&key=');
    expect(keysHelp).toContainEqual(expect.objectContaining({ key: 'endpoint', optional: false }));
    expect(keysHelp).toContainEqual(expect.objectContaining({ key: 'comment', optional: true, type: 'string' }));
    expect((await help('subSys=kms_vault&key=token&env=')).keysHelp).toEqual([
      expect.objectContaining({ key: 'STRONGROOM_KMS_VAULT_TOKEN' }),
    ]);
    expect((await client.call('GET', `${ADMIN}/help-config-kv?subSys=kms_nothing`)).status).toBe(404);
    expect((await client.call('GET', `${ADMIN}/help-config-kv?subSys=kms_vault&key=no`)).status).toBe(400);
  });
});
