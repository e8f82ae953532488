import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { startKeyVault, type FakeKeyVault } from '../../../test/fakes/azure-key-vault-server';
import type { ScriptedRequest } from '../../../test/fakes/scripted-server';
import { testCertificate } from '../../../test/support/test-certificate';
import type { FieldValues } from '../../config/subsystem';
import { DEFAULT_CALL_POLICY, type CallPolicyOptions } from '../kms-call-policy';
import type { ConnectionTestReport, ProviderDataKey } from '../kms-provider';
import { KmsTarget } from '../kms-target';
import { azureSettings } from './azure-settings';
import { AzureProvider } from './azure.provider';

const CONTEXT = { bucket: 'bucket/key' };
const QUICK: CallPolicyOptions = {
  ...DEFAULT_CALL_POLICY,
  maxRetries: 2,
  backoffBase: 1,
  backoffCap: 2,
  breakerThreshold: 100,
};
const WRONG_PEM = '-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----';

Logger.overrideLogger(false);

describe('Azure provider under faults', () => {
  let certificate: { cert: string; key: string };
  let fake: FakeKeyVault;
  let directory: string;
  const opened: KmsTarget[] = [];

  beforeAll(async () => {
    certificate = await testCertificate();
    directory = await mkdtemp(join(tmpdir(), 'strongroom-azure-'));
  });

  afterAll(() => rm(directory, { recursive: true }));

  beforeEach(async () => {
    fake = await startKeyVault(certificate);
    await fake.createKey('key');
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((target) => target.retire()));
    await fake.close();
  });

  function open(values: FieldValues = {}, policy: Partial<CallPolicyOptions> = {}): KmsTarget {
    const settings = azureSettings({
      vault_url: fake.url,
      key_name: 'key',
      tenant_id: fake.entra.tenantId,
      client_id: fake.entra.clientId,
      client_secret: fake.entra.clientSecret,
      authority_host: fake.url,
      verify_challenge: false,
      ca_pem: certificate.cert,
      ...values,
    });
    const target = new KmsTarget('test', new AzureProvider('azure:test', settings), 1, { ...QUICK, ...policy });
    opened.push(target);
    return target;
  }

  const makeKey = (target: KmsTarget, name = 'key'): Promise<ProviderDataKey> =>
    target.call('generate', (provider, signal) => provider.generateDataKey(name, CONTEXT, { signal }));
  const unwrap = (target: KmsTarget, ciphertext: Buffer, name = 'key'): Promise<Buffer> =>
    target.call('decrypt', (provider, signal) =>
      provider.decryptDataKey(name, ciphertext, CONTEXT, undefined, { signal }),
    );
  const run = (target: KmsTarget): Promise<ConnectionTestReport> =>
    target.provider.testConnection({ signal: AbortSignal.timeout(10_000) });
  const admin = (target: KmsTarget): AzureProvider => target.provider as AzureProvider;
  const options = (): { signal: AbortSignal } => ({ signal: AbortSignal.timeout(10_000) });
  const wrapping = ({ path }: ScriptedRequest): boolean => path.endsWith('/wrapkey');
  const signingIn = ({ path }: ScriptedRequest): boolean => path.endsWith('/oauth2/v2.0/token');
  /** Requests that reached the vault with a token. */
  const countOf = (where: (request: ScriptedRequest) => boolean): number =>
    fake.server.requests.filter((request) => where(request) && request.headers.authorization !== undefined).length;

  it('finds the connection refused: unavailable, and back without a restart', async () => {
    const target = open();
    const { ciphertext } = await makeKey(target);
    const port = Number(new URL(fake.url).port);
    await fake.close();
    await expect(unwrap(target, ciphertext)).rejects.toMatchObject({ kind: 'kms-unavailable', retryable: true });
    fake = await startKeyVault({ ...certificate, port, entra: fake.entra });
    await fake.createKey('key');
    // Another key of the same name, which did not wrap this.
    await expect(unwrap(target, ciphertext)).rejects.toMatchObject({ kind: 'kms-invalid-ciphertext' });
    await expect(makeKey(target)).resolves.toBeDefined();
  });

  it.each([
    ['the vault', wrapping],
    ['Entra ID', signingIn],
  ])('%s hangs: each attempt ends at its time limit', async (_who, where) => {
    const target = open({}, { attemptTimeout: 150, maxRetries: 1 });
    await target.provider.init?.();
    fake.server.inject({ type: 'hang' }, where);
    await expect(makeKey(target)).rejects.toMatchObject({ kind: 'kms-timeout' });
  });

  it.each([429, 500, 503])(
    'answers %i twice and then well: the third attempt counts, and the SDK makes none of its own',
    async (status) => {
      const target = open();
      await makeKey(target);
      const before = countOf(wrapping);
      fake.server.inject({ type: 'answer', status, text: '' }, wrapping, 2);
      await expect(makeKey(target)).resolves.toBeDefined();
      expect(countOf(wrapping) - before).toBe(3);
    },
  );

  it('tells throttling from failure', async () => {
    const target = open({}, { maxRetries: 0 });
    fake.server.inject({ type: 'answer', status: 429, text: '{"error":{"code":"Throttled"}}' }, wrapping);
    await expect(makeKey(target)).rejects.toMatchObject({ kind: 'kms-throttled' });
  });

  it('cannot sign in for a while: unavailable, and the next attempt is made in earnest', async () => {
    const target = open();
    fake.server.inject({ type: 'answer', status: 503, text: '' }, signingIn, 2);
    await expect(makeKey(target)).resolves.toBeDefined();
    expect(fake.server.requests.filter(signingIn)).toHaveLength(3);
  });

  it('resets the connection once: the next attempt counts', async () => {
    const target = open();
    fake.server.inject({ type: 'reset' }, wrapping, 1);
    await expect(makeKey(target)).resolves.toBeDefined();
  });

  it('loses the answer to a rotation: it is not rotated twice', async () => {
    const target = open();
    fake.server.inject({ type: 'lose-answer' }, ({ path }) => path.endsWith('/rotate'), 1);
    const rotate = target.call('rotate', (provider, signal) =>
      (provider as AzureProvider).rotateKey('key', { signal }),
    );
    await expect(rotate).rejects.toMatchObject({ kind: 'kms-unavailable' });
    expect(fake.versionCount('key')).toBe(2);
  });

  it.each([
    ['a web page', '<html>login</html>'],
    ['no result', '{}'],
  ])('answers with %s: fails closed', async (_what, text) => {
    const target = open();
    await makeKey(target);
    fake.server.inject({ type: 'answer', status: 200, text }, wrapping);
    await expect(makeKey(target)).rejects.toMatchObject({ kind: 'kms-protocol' });
  });

  it.each([
    ['AADSTS7000215' as const, /value of the secret/],
    ['AADSTS7000222' as const, /has expired/],
    ['AADSTS700016' as const, /client_id/],
  ])('is refused by Entra ID with %s, and says what to do', async (fault, remedy) => {
    fake.entra.refuse(fault);
    const error: unknown = await makeKey(open()).catch((caught: unknown) => caught);
    expect(error).toMatchObject({
      kind: 'kms-unauthenticated',
      retryable: false,
      remedy: expect.stringMatching(remedy),
    });
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain(fake.entra.clientSecret);
  });

  it('signs in again after its token was refused', async () => {
    const target = open();
    const { ciphertext, plaintext } = await makeKey(target);
    fake.entra.revokeTokens();
    await expect(unwrap(target, ciphertext)).rejects.toMatchObject({ kind: 'kms-unauthenticated' });
    expect(await unwrap(target, ciphertext)).toEqual(plaintext);
  });

  it('signs in with a certificate', async () => {
    const file = join(directory, 'application.pem');
    await writeFile(file, `${certificate.key}\n${certificate.cert}`);
    fake.entra.certificate = certificate.cert;
    const identity = { client_secret: undefined, client_certificate_file: file };
    await expect(makeKey(open(identity))).resolves.toBeDefined();
    const missing = { ...identity, client_certificate_file: join(directory, 'nowhere.pem') };
    await expect(makeKey(open(missing))).rejects.toMatchObject({
      kind: 'kms-unauthenticated',
      remedy: expect.stringContaining('client_certificate_file'),
    });
  });

  it('signs in for no resource that the address of the vault does not belong to', async () => {
    await expect(makeKey(open({ verify_challenge: true }))).rejects.toMatchObject({
      kind: 'kms-unauthenticated',
      remedy: expect.stringContaining('verify_challenge'),
    });
    expect(fake.entra.issued).toBe(0);
  });

  it('does not mix up first requests that are made at once', async () => {
    const target = open();
    const made = await Promise.all(Array.from({ length: 16 }, () => makeKey(target)));
    const again = open();
    const plain = await Promise.all(made.map(({ ciphertext }) => unwrap(again, ciphertext)));
    expect(plain).toEqual(made.map(({ plaintext }) => plaintext));
  });

  it('names the role to assign when permission is missing', async () => {
    fake.deny('wrapkey', 'ForbiddenByRbac');
    await expect(makeKey(open())).rejects.toMatchObject({
      kind: 'kms-access-denied',
      remedy: expect.stringMatching(/Key Vault Crypto User.*Wrap Key/s),
    });
  });

  it('unwraps with an expired version, and does not wrap with it', async () => {
    const target = open();
    const { ciphertext, plaintext } = await makeKey(target);
    fake.expire('key');
    expect(await unwrap(target, ciphertext)).toEqual(plaintext);
    await expect(makeKey(target)).rejects.toMatchObject({ kind: 'kms-key-disabled' });
  });

  it('looks for the newest version again when the one it remembers is out of use', async () => {
    const target = open();
    const before = await makeKey(target);
    await fake.replaceVersions('key');
    expect((await makeKey(target)).keyVersion).not.toBe(before.keyVersion);
    await expect(unwrap(target, before.ciphertext)).rejects.toMatchObject({ kind: 'kms-key-disabled' });
  });

  it('wraps with the pinned version, and is not rotated', async () => {
    const { keyVersion } = await makeKey(open());
    await admin(open()).rotateKey('key', options());
    const pinned = open({ key_version: keyVersion });
    expect((await makeKey(pinned)).keyVersion).toBe(keyVersion);
    await expect(admin(pinned).rotateKey('key', options())).rejects.toMatchObject({ kind: 'kms-invalid-request' });
  });

  it('creates the default key where that is asked for, and no other', async () => {
    await expect(makeKey(open({ key_name: 'fresh' }), 'fresh')).rejects.toMatchObject({ kind: 'kms-key-not-found' });
    await expect(makeKey(open({ key_name: 'fresh', create_key: true }), 'fresh')).resolves.toBeDefined();
    await expect(makeKey(open({ create_key: true }), 'other')).rejects.toMatchObject({ kind: 'kms-key-not-found' });
  });

  it('enables and disables every version', async () => {
    const target = open();
    const made = [await makeKey(target)];
    await admin(target).rotateKey('key', options());
    made.push(await makeKey(target));
    await admin(target).setKeyEnabled('key', false, options());
    for (const { ciphertext } of made) {
      await expect(unwrap(target, ciphertext)).rejects.toMatchObject({ kind: 'kms-key-disabled' });
    }
    await admin(target).setKeyEnabled('key', true, options());
    for (const { ciphertext, plaintext } of made) {
      expect(await unwrap(target, ciphertext)).toEqual(plaintext);
    }
  });

  it('tells when the vault will purge a key, and deletes none that it would purge too early or at once', async () => {
    const target = open();
    fake.recoverableDays = 20;
    await expect(admin(target).scheduleKeyDeletion('key', 21, options())).rejects.toMatchObject({
      kind: 'kms-invalid-request',
    });
    fake.recoveryLevel = 'Purgeable';
    await expect(admin(target).scheduleKeyDeletion('key', 7, options())).rejects.toMatchObject({
      kind: 'kms-unsupported',
    });
    fake.recoveryLevel = 'CustomizedRecoverable';
    const { deletionDate } = await admin(target).scheduleKeyDeletion('key', 7, options());
    expect(Math.round(((deletionDate?.getTime() ?? 0) - Date.now()) / 86_400_000)).toBe(20);
    await expect(admin(target).createKey('key', options())).rejects.toMatchObject({ kind: 'kms-key-pending-deletion' });
    expect((await admin(target).listKeys('*', undefined, 10, options())).keys).toMatchObject([
      { keyId: 'key', state: 'pending-deletion' },
    ]);
  });

  describe('connection test', () => {
    const STEPS = ['dns', 'tcp', 'tls', 'authentication', 'key', 'permissions', 'round trip', 'clock'];

    it('goes all the way', async () => {
      const report = await run(open());
      expect(report.steps.map(({ name }) => name)).toEqual(STEPS);
      expect(report.steps.filter(({ outcome }) => outcome !== 'passed')).toEqual([]);
      const { detail } = report.steps.find(({ name }) => name === 'authentication')!;
      expect(detail).toMatch(/good for [1-9]\d* s, and renewed before$/);
    });

    it.each([
      ['tcp', { vault_url: 'https://127.0.0.1:1' }],
      ['tls', { ca_pem: WRONG_PEM }],
      ['authentication', { client_secret: 'wrong' }],
      ['key', { key_name: 'nobody-made-it' }],
      ['key', { wrap_algorithm: 'A256KW' }],
      ['key', { key_name: 'signing' }],
    ])('stops at %s', async (name, values: FieldValues) => {
      await fake.createKey('signing', 'RSA', ['sign', 'verify']);
      const report = await run(open(values));
      expect(report.ok).toBe(false);
      expect(report.steps.find(({ outcome }) => outcome === 'failed')).toMatchObject({
        name,
        remedy: expect.any(String),
      });
    });

    it.each([
      ['get', 'key', 'Microsoft.KeyVault/vaults/keys/read, in access policies "Get" (to find the newest version)'],
      ['wrapkey', 'permissions', 'keys/wrap/action, in access policies "Wrap Key" (to wrap data keys)'],
      ['unwrapkey', 'permissions', 'keys/unwrap/action, in access policies "Unwrap Key" (to unwrap data keys)'],
    ])('stops where %s is not permitted, names the permission and the role', async (operation, step, permission) => {
      fake.deny(operation);
      const failed = (await run(open())).steps.find(({ outcome }) => outcome === 'failed');
      expect(failed).toMatchObject({
        name: step,
        detail: expect.stringContaining(permission),
        remedy: expect.stringContaining('"Key Vault Crypto User"'),
      });
    });

    it('names the permissions as a Managed HSM does', async () => {
      fake.deny('wrapkey');
      await fake.createKey('aes', 'oct-HSM');
      const values = { key_name: 'aes', wrap_algorithm: 'A256KW' };
      const failed = (await run(open(values))).steps.find(({ outcome }) => outcome === 'failed');
      expect(failed).toMatchObject({
        name: 'permissions',
        detail: expect.stringContaining('Microsoft.KeyVault/managedHsm/keys/wrap/action (to wrap data keys)'),
        remedy: expect.stringContaining('"Managed HSM Crypto User"'),
      });
    });

    it('tells which permissions cannot be tried, and by which role they are granted', async () => {
      const step = (await run(open())).steps.find(({ name }) => name === 'permissions');
      expect(step).toMatchObject({
        outcome: 'passed',
        detail: expect.stringContaining('Create, Update, Rotate, Delete, Recover (role "Key Vault Crypto Officer"'),
      });
    });

    it('does not take a firewall for a missing permission', async () => {
      fake.deny('get', 'ForbiddenByFirewall');
      const failed = (await run(open())).steps.find(({ outcome }) => outcome === 'failed');
      expect(failed).toMatchObject({ name: 'key', remedy: expect.stringContaining('networking settings') });
    });

    it('warns where only keys cannot be listed, and where the clocks differ', async () => {
      fake.deny('list');
      fake.server.setClockError(120_000);
      const report = await run(open());
      expect(report.ok).toBe(true);
      expect(report.steps.filter(({ outcome }) => outcome === 'warning').map(({ name }) => name)).toEqual([
        'permissions',
        'clock',
      ]);
    });
  });
});
