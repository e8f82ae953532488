import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type FakeVault, startVaultServer } from '../fakes/vault-server';
import { describeWithMc, MC, McClient } from '../support/mc-client';
import { TestServer } from '../support/server';

const run = promisify(execFile);

describeWithMc('mc', () => {
  let vault: FakeVault;
  let server: TestServer;
  let client: McClient;

  beforeAll(async () => {
    vault = await startVaultServer();
    vault.createKey('objects');
    client = await McClient.create();
    server = await TestServer.start({ workers: 2 });
    await mc('alias', 'set', 'store', server.endpoint, server.accessKeyId, server.secretAccessKey);
  });
  afterAll(async () => {
    await server.stop();
    await vault.close();
    await client.remove();
  });

  const mc = (...args: string[]): Promise<string> => client.run(args);
  const json = (...args: string[]): Promise<Record<string, unknown>[]> => client.json(args);
  const refusal = (...args: string[]): Promise<string> => client.refusal(args);
  const setVault = (...more: string[]): Promise<string> =>
    mc(
      'admin',
      'config',
      'set',
      'store',
      'kms_vault',
      `endpoint=${vault.url}`,
      'key_name=objects',
      `token=${vault.rootToken}`,
      ...more,
    );

  it('configures a Vault that is in force at once, and shows it masked', async () => {
    const answer = await setVault('comment=set by mc');
    expect(answer).toContain('Successfully applied new settings');
    expect(answer).not.toContain('restart');
    const shown = await mc('admin', 'config', 'get', 'store', 'kms_vault');
    expect(shown).toContain(`endpoint=${vault.url}`);
    expect(shown).toContain('token=*redacted*');
    expect(shown).toContain('comment="set by mc"');
    expect(shown).not.toContain(vault.rootToken);
    const [status] = await json('admin', 'kms', 'key', 'status', 'store');
    expect(status).toMatchObject({ keyId: 'objects', status: 'success' });
    expect(status).not.toHaveProperty('encryptionError');
  });

  it('is told what was wrong, and nothing changes', async () => {
    await setVault();
    const wrong = await refusal('admin', 'config', 'set', 'store', 'kms_vault', 'token=hvs.wrong-token');
    expect(wrong).toContain('was not changed');
    expect(await refusal('admin', 'config', 'set', 'store', 'kms_vault', 'endpont=x')).toContain('endpoint');
    expect(await refusal('admin', 'config', 'get', 'store', 'kms_nothing')).toContain('kms_nothing');
    expect(await mc('admin', 'kms', 'key', 'status', 'store')).toContain('objects');
  });

  it('lists help, history, restores from it and clears it', async () => {
    expect(await mc('admin', 'config', 'get', 'store')).toContain('kms_vault');
    expect(await mc('admin', 'config', 'set', 'store', 'kms_vault')).toContain('key_name');
    await setVault('comment=first');
    await setVault('comment=second');
    const history = await historyOf();
    expect(history.at(-1)?.targets).toContain('comment=second');
    expect(JSON.stringify(history)).not.toContain(vault.rootToken);
    const first = history.findLast((entry) => entry.targets.includes('comment=first'));
    await mc('admin', 'config', 'restore', 'store', first?.restoreId ?? '');
    expect(await mc('admin', 'config', 'get', 'store', 'kms_vault')).toContain('comment=first');
    await mc('admin', 'config', 'history', 'store', '--clear');
    expect(await historyOf()).toEqual([]);
    const kept = await server.admin<{ entries: unknown[] }>(
      'GET',
      '/minio/admin/v3/config/kms_vault/default/history?limit=100',
    );
    expect(kept.body.entries.length).toBeGreaterThanOrEqual(3);
  });

  it('exports everything, imports it unchanged, and resets', async () => {
    await setVault('comment=exported');
    const text = await mc('admin', 'config', 'export', 'store');
    expect(text).toContain('comment=exported');
    expect(text).not.toContain(vault.rootToken);
    const before = await historyOf();
    await importConfig(text);
    expect(await historyOf()).toEqual(before);
    await importConfig(text.replace('comment=exported', 'comment=imported'));
    expect(await mc('admin', 'config', 'get', 'store', 'kms_vault')).toContain('comment=imported');
    expect(await mc('admin', 'config', 'reset', 'store', 'kms_vault', 'comment')).not.toContain('restart');
    expect(await mc('admin', 'config', 'get', 'store', 'kms_vault')).toMatch(/comment=$/m);
    await mc('admin', 'config', 'reset', 'store', 'kms_vault');
    expect(await mc('admin', 'config', 'get', 'store', 'kms_vault')).toContain('enable=off');
  });

  it('creates, lists and tries keys', async () => {
    await mc('admin', 'config', 'reset', 'store', 'kms_vault');
    await mc('admin', 'kms', 'key', 'create', 'store', 'tenant-1');
    const [listed] = await json('admin', 'kms', 'key', 'list', 'store');
    expect(listed?.['keys']).toContain('tenant-1');
    const [status] = await json('admin', 'kms', 'key', 'status', 'store', 'tenant-1');
    expect(status).toMatchObject({ keyId: 'tenant-1' });
    expect(await refusal('admin', 'kms', 'key', 'create', 'store', 'tenant-1')).toContain('tenant-1');
  });

  it('shows the server', async () => {
    const [info] = await json('admin', 'info', 'store');
    expect(info).toMatchObject({ status: 'success', info: { mode: 'online', servers: [{ state: 'online' }] } });
    expect(await mc('admin', 'info', 'store')).toContain('Uptime');
  });

  async function historyOf(): Promise<{ restoreId: string; targets: string }[]> {
    const [history] = await json('admin', 'config', 'history', 'store', '--count', '100');
    return (history?.['entries'] ?? []) as { restoreId: string; targets: string }[];
  }

  async function importConfig(text: string): Promise<void> {
    const file = join(client.directory, 'import.txt');
    await writeFile(file, text);
    await run('sh', [
      '-c',
      '"$0" --config-dir "$1" admin config import store < "$2"',
      MC ?? 'mc',
      client.directory,
      file,
    ]);
  }
});
