import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { generate } from 'selfsigned';
import { startVaultServer, type FakeVault } from '../../../test/fakes/vault-server';
import { testCertificate } from '../../../test/support/test-certificate';
import type { FieldValues } from '../../config/subsystem';
import { DEFAULT_CALL_POLICY } from '../kms-call-policy';
import { KmsTarget } from '../kms-target';
import { VaultAuth } from './vault-auth';
import { VaultClient } from './vault-client';
import { vaultConnectionSettings } from './vault-connection-settings';
import { validateVaultSettings, vaultSettings } from './vault-settings';
import { VaultProvider } from './vault.provider';

const CONTEXT = { bucket: 'bucket/key' };
const GRANT = { policies: ['default', 'objects'], ttl: 3600 };

Logger.overrideLogger(false);

describe('Ways to log in to Vault, and its nodes', () => {
  let fake: FakeVault;
  let directory: string;
  const opened: VaultProvider[] = [];

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'vault-logins-'));
  });

  afterAll(() => rm(directory, { recursive: true }));

  beforeEach(async () => {
    fake = await start();
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((provider) => provider.destroy()));
    await fake.close();
  });

  async function start(options: Parameters<typeof startVaultServer>[0] = {}): Promise<FakeVault> {
    const vault = await startVaultServer(options);
    vault.createKey('key', { derived: true });
    vault.putPolicy('objects', { 'transit/*': ['read', 'update', 'list'] });
    return vault;
  }

  function open(values: FieldValues): VaultProvider {
    const provider = new VaultProvider('vault:test', vaultSettings({ endpoint: fake.url, key_name: 'key', ...values }));
    opened.push(provider);
    return provider;
  }

  const signal = (): { signal: AbortSignal } => ({ signal: AbortSignal.timeout(10_000) });
  const use = (provider: VaultProvider): ReturnType<VaultProvider['generateDataKey']> =>
    provider.generateDataKey('key', CONTEXT, signal());
  const logins = (mount: string): number => fake.requests.filter(({ path }) => path === `auth/${mount}/login`).length;

  describe('methods', () => {
    it('Kubernetes: logs in with the service account token, read again at every login', async () => {
      const file = join(directory, 'kubernetes');
      await writeFile(file, 'first\n');
      fake.createJwtRole('kubernetes', 'store', 'first', GRANT);
      const provider = open({ auth_kubernetes_role: 'store', auth_kubernetes_jwt_file: file });
      await expect(use(provider)).resolves.toBeDefined();
      await writeFile(file, 'second\n');
      fake.createJwtRole('kubernetes', 'store', 'second', GRANT);
      fake.revokeAllTokens();
      await expect(use(provider)).resolves.toBeDefined();
      expect(logins('kubernetes')).toBe(2);
      expect((await provider.testConnection(signal())).ok).toBe(true);
    });

    it.each(['kubernetes', 'jwt'])('%s: a refused token is not retried and says what to look at', async (method) => {
      const file = join(directory, 'wrong');
      await writeFile(file, 'wrong');
      fake.createJwtRole(method, 'store', 'right', GRANT);
      const field = method === 'jwt' ? 'auth_jwt_file' : 'auth_kubernetes_jwt_file';
      await expect(use(open({ [`auth_${method}_role`]: 'store', [field]: file }))).rejects.toMatchObject({
        kind: 'kms-unauthenticated',
        remedy: expect.stringContaining(`auth_${method}_role`),
      });
      expect(logins(method)).toBe(1);
    });

    it('JWT: logs in with a token that is given, at a mount of its own', async () => {
      fake.createJwtRole('oidc/ci', 'store', 'given', GRANT);
      await expect(
        use(open({ auth_jwt_role: 'store', auth_jwt_token: 'given', auth_jwt_mount: 'oidc/ci' })),
      ).resolves.toBeDefined();
    });

    it('JWT: a file that is missing or empty is named', async () => {
      const file = join(directory, 'empty');
      await writeFile(file, '\n');
      for (const path of [file, join(directory, 'missing')]) {
        await expect(use(open({ auth_jwt_role: 'store', auth_jwt_file: path }))).rejects.toMatchObject({
          kind: 'kms-unauthenticated',
          message: expect.stringContaining('auth_jwt_file'),
        });
      }
    });

    it('TLS certificate: logs in with the client certificate', async () => {
      await fake.close();
      const server = await testCertificate();
      const client = await generate([{ name: 'commonName', value: 'store-1' }], {
        ca: { key: server.key, cert: server.cert },
      });
      const [cert, key] = [join(directory, 'client.crt'), join(directory, 'client.key')];
      await Promise.all([writeFile(cert, client.cert), writeFile(key, client.private)]);
      fake = await start({ tls: { ...server, ca: server.cert } });
      fake.createCertRole('stores', 'store-1', GRANT);
      const values = { auth_type: 'cert', ca_pem: server.cert, client_cert_file: cert, client_key_file: key };
      await expect(use(open(values))).resolves.toBeDefined();
      await expect(use(open({ ...values, auth_cert_role: 'others' }))).rejects.toMatchObject({
        kind: 'kms-unauthenticated',
        remedy: expect.stringContaining('auth_cert_role'),
      });
      const { steps } = await open(values).testConnection(signal());
      expect(steps[0]).toMatchObject({
        name: 'client certificate',
        outcome: 'passed',
        detail: expect.stringContaining('CN=store-1'),
      });
    });

    it('TLS certificate: the connection test warns of one that ends soon', async () => {
      await fake.close();
      const server = await testCertificate();
      const client = await generate([{ name: 'commonName', value: 'store-1' }], {
        ca: { key: server.key, cert: server.cert },
        notAfterDate: new Date(Date.now() + 3.5 * 86_400_000),
      });
      const [cert, key] = [join(directory, 'soon.crt'), join(directory, 'soon.key')];
      await Promise.all([writeFile(cert, client.cert), writeFile(key, client.private)]);
      fake = await start({ tls: { ...server, ca: server.cert } });
      fake.createCertRole('stores', 'store-1', GRANT);
      const provider = open({
        auth_type: 'cert',
        ca_pem: server.cert,
        client_cert_file: cert,
        client_key_file: key,
      });
      const { ok, steps } = await provider.testConnection(signal());
      expect(ok).toBe(true);
      expect(steps[0]).toMatchObject({
        outcome: 'warning',
        detail: expect.stringContaining('it expires in 3 days'),
        remedy: 'Renew the certificate of client_cert_file.',
      });
    });

    it('token file: a replaced token is taken up without waiting for the old one to fail', async () => {
      const file = join(directory, 'token');
      const [first, second] = [fake.createToken(GRANT), fake.createToken(GRANT)];
      await writeFile(file, first);
      let now = 0;
      const settings = vaultConnectionSettings({ endpoint: fake.url, token_file: file });
      const client = new VaultClient('vault:test', settings);
      const auth = new VaultAuth(client, settings.credentials, 5_000, () => now);
      expect(await auth.token()).toBe(first);
      await rm(file);
      await writeFile(file, `${second}\n`);
      expect(await auth.token()).toBe(first);
      now += 6_000;
      expect(await auth.token()).toBe(second);
      await rm(file);
      await writeFile(file, 'nonsense-that-vault-does-not-know');
      now += 6_000;
      expect(await auth.token()).toBe(second);
      auth.destroy();
      await client.close();
    });

    it.each([
      ['auth_type', { auth_kubernetes_role: 'a', auth_approle_id: 'b' }],
      ['auth_kubernetes_role', { auth_type: 'kubernetes' }],
      ['auth_jwt_role', { auth_type: 'jwt', auth_jwt_token: 't' }],
      ['auth_jwt_token', { auth_jwt_role: 'r' }],
      ['auth_jwt_file', { auth_jwt_role: 'r', auth_jwt_token: 't', auth_jwt_file: '/f' }],
      ['client_cert_file', { auth_type: 'cert' }],
      ['endpoint', { auth_type: 'cert', client_cert_file: '/c', client_key_file: '/k', endpoint: 'http://vault' }],
      ['endpoint', { token: 't', endpoint: 'https://a,ftp://b' }],
      ['endpoint', { token: 't', endpoint: 'https://a,https://user:pw@b' }],
    ])('names %s as the problem of %j', async (field, values) => {
      const problems = await validateVaultSettings({ endpoint: 'https://vault', key_name: 'key', ...values });
      expect(problems.map((problem) => problem.field)).toContain(field);
    });
  });

  describe('nodes', () => {
    let other: FakeVault;

    beforeEach(async () => {
      other = await start({ rootToken: fake.rootToken });
    });

    afterEach(() => other.close());

    const cluster = (): VaultProvider => open({ endpoint: `${fake.url},${other.url}`, token: fake.rootToken });

    it('takes the next node when one refuses connections, in the middle of work as well', async () => {
      const provider = cluster();
      // The policy replays what the broken connection swallowed.
      const target = new KmsTarget('test', provider, 1, { ...DEFAULT_CALL_POLICY, backoffBase: 1, backoffCap: 2 });
      const call = (): Promise<unknown> => target.call('generate', () => use(provider));
      await call();
      await fake.close();
      await expect(call()).resolves.toBeDefined();
      expect(other.requests.length).toBeGreaterThan(0);
      const report = await provider.testConnection(signal());
      expect(report.ok).toBe(true);
      expect(report.steps[0]).toMatchObject({ outcome: 'warning', name: expect.stringContaining('node ') });
    });

    it('takes the next node when one is sealed, and says so when all are', async () => {
      const provider = cluster();
      await use(provider);
      fake.seal();
      await expect(use(provider)).resolves.toBeDefined();
      other.seal();
      await expect(use(provider)).rejects.toMatchObject({ kind: 'kms-sealed' });
      fake.unseal();
      await expect(use(provider)).resolves.toBeDefined();
    });

    it('leaves a node that hangs, for the next attempt', async () => {
      const provider = cluster();
      await use(provider);
      fake.inject({ action: { type: 'hang' } });
      const hurried = provider.generateDataKey('key', CONTEXT, { signal: AbortSignal.timeout(150) });
      await expect(hurried).rejects.toMatchObject({ kind: 'kms-timeout' });
      await expect(use(provider)).resolves.toBeDefined();
    });

    it('follows the redirect of a standby to a node of the list, token and all, and stays there', async () => {
      fake.inject({ action: { type: 'redirect', location: `${other.url}/v1/transit/keys/key` }, path: /keys\/key$/ });
      const provider = cluster();
      await expect(use(provider)).resolves.toBeDefined();
      expect(other.requests.map(({ path }) => path)).toEqual(['transit/keys/key', 'transit/datakey/plaintext/key']);
      expect(other.requests[0]?.token).toBe(fake.rootToken);
    });

    it('follows no redirect to anybody else', async () => {
      fake.inject({ action: { type: 'redirect', location: `${other.url}/v1/transit/keys/key` }, path: /keys\/key$/ });
      await expect(use(open({ token: fake.rootToken }))).rejects.toMatchObject({
        kind: 'kms-unavailable',
        remedy: expect.stringContaining(other.url),
      });
      expect(other.requests).toEqual([]);
    });
  });
});
