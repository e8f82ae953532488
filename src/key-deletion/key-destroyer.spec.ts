import { startVaultServer, type FakeVault } from '../../test/fakes/vault-server';
import { type RewrapApp, startRewrapApp } from '../../test/support/rewrap-app';
import { KeptKeyStateRepository } from '../kms/kept-key-state.repository';
import { KmsService } from '../kms/kms.service';
import { KeyDeletionModule } from './key-deletion.module';
import { KeyDestroyer } from './key-destroyer.service';

describe('the end of keys in a KMS without waiting times', () => {
  let app: RewrapApp;
  let vault: FakeVault;
  let kms: KmsService;
  let destroyer: KeyDestroyer;

  const get = <T>(type: abstract new (...given: never[]) => T): T => app.module.get<T>(type, { strict: false });
  const sql = (text: string): Promise<unknown> => app.database.database.dataSource.query(text);
  const isThere = async (keyId: string): Promise<boolean> =>
    (await kms.listKeys('vault:main', keyId)).keys.some((key) => key.keyId === keyId);
  /** Makes a key whose waiting time is over. */
  const dueKey = async (keyId: string, lossesAccepted: boolean): Promise<void> => {
    await kms.createKey(`vault:main/${keyId}`);
    await app.put('bucket', keyId, 'content', { encryption: { mode: 'sse-kms', keyId: `vault:main/${keyId}` } });
    await kms.scheduleKeyDeletion(`vault:main/${keyId}`, 7, lossesAccepted);
    expect(await destroyer.step()).toBe(false);
    await sql(`UPDATE kms_key_state SET deletion_date = clock_timestamp() WHERE key_id = '${keyId}'`);
  };

  beforeAll(async () => {
    vault = await startVaultServer();
    vault.createKey('objects');
    app = await startRewrapApp([KeyDeletionModule]);
    await app.useVault('main', vault, { max_retries: 0 });
    await app.buckets.create('bucket', 'owner');
    kms = get(KmsService);
    destroyer = get(KeyDestroyer);
    // Its steps are taken here, one by one.
    await destroyer.beforeApplicationShutdown();
  });
  afterEach(() => vault.clearFaults());
  afterAll(async () => {
    await app.close();
    await vault.close();
  });

  it('is carried out when the time has come, and the key may be made anew', async () => {
    await dueKey('given-up', true);
    expect(await destroyer.step()).toBe(true);
    expect(await isThere('given-up')).toBe(false);
    await expect(app.read('bucket', 'given-up')).rejects.toMatchObject({ kind: 'kms-key-not-found' });
    expect(await destroyer.step()).toBe(false);
    expect(await kms.createKey('vault:main/given-up')).toMatchObject({ state: 'enabled' });
  });

  it('does not come over a key that something hangs on which nobody agreed to lose', async () => {
    await dueKey('needed', false);
    expect(await destroyer.step()).toBe(true);
    expect(await isThere('needed')).toBe(true);
    expect(await destroyer.step()).toBe(false);
    await kms.cancelKeyDeletion('vault:main/needed');
    await kms.setKeyEnabled('vault:main/needed', true);
    expect(await app.read('bucket', 'needed')).toBe('content');
  });

  it('waits for a KMS that is away or refuses, and is tried again later', async () => {
    await dueKey('stubborn', true);
    vault.inject({ action: { type: 'status', status: 503 } });
    expect(await destroyer.step()).toBe(true);
    vault.clearFaults();
    expect(await isThere('stubborn')).toBe(true);
    expect(await destroyer.step()).toBe(false);
    await sql(`UPDATE kms_key_state SET next_attempt_at = clock_timestamp() WHERE key_id = 'stubborn'`);
    expect(await destroyer.step()).toBe(true);
    expect(await isThere('stubborn')).toBe(false);
  });

  it('is done by one process, and never after it was cancelled', async () => {
    await dueKey('contended', true);
    const states = get(KeptKeyStateRepository);
    const claims = await Promise.all(Array.from({ length: 8 }, () => states.claimDue(60)));
    expect(claims.filter((claim) => claim !== undefined)).toEqual([
      { kms: 'vault:main', keyId: 'contended', lossesAccepted: true },
    ]);
    await kms.cancelKeyDeletion('vault:main/contended');
    const destroy = jest.fn();
    expect(await states.destroy('vault:main', 'contended', destroy)).toBe(false);
    expect(destroy).not.toHaveBeenCalled();
  });
});
