import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { generate } from 'selfsigned';
import { startVaultServer, type FakeVault } from '../../../test/fakes/vault-server';
import type { FieldValues } from '../../config/subsystem';
import { DEFAULT_CALL_POLICY, type CallPolicyOptions } from '../kms-call-policy';
import type { KeyDescription } from '../kms-provider';
import { KmsTarget } from '../kms-target';
import { vaultSettings } from './vault-settings';
import { VaultProvider } from './vault.provider';

const CONTEXT = { bucket: 'bucket/key' };
const QUICK: CallPolicyOptions = {
  ...DEFAULT_CALL_POLICY,
  maxRetries: 2,
  backoffBase: 1,
  backoffCap: 2,
  breakerThreshold: 100,
};

Logger.overrideLogger(false);

describe('Vault provider under faults', () => {
  let fake: FakeVault;
  const opened: KmsTarget[] = [];

  beforeEach(async () => {
    fake = await startVaultServer();
    fake.createKey('key', { derived: true });
    fake.createKey('plain', { derived: false });
    fake.putPolicy('objects', { 'transit/*': ['read', 'update', 'list'] });
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((target) => target.retire()));
    await fake.close();
  });

  function open(values: FieldValues = {}, policy: Partial<CallPolicyOptions> = {}): KmsTarget {
    const credentials = 'auth_approle_id' in values ? {} : { token: fake.rootToken };
    const settings = vaultSettings({ endpoint: fake.url, key_name: 'key', ...credentials, ...values });
    const target = new KmsTarget('test', new VaultProvider('vault:test', settings), 1, { ...QUICK, ...policy });
    opened.push(target);
    return target;
  }

  function appRole(ttl = 3600, maxTtl = 0): FieldValues {
    const { roleId, secretId } = fake.createRole({ policies: ['default', 'objects'], ttl, maxTtl });
    return { auth_approle_id: roleId, auth_approle_secret: secretId };
  }

  const makeKey = (target: KmsTarget, keyId = 'key'): Promise<{ plaintext: Buffer; ciphertext: Buffer }> =>
    target.call('generate', (provider, signal) => provider.generateDataKey(keyId, CONTEXT, { signal }));
  const unwrap = (target: KmsTarget, ciphertext: Buffer, keyId = 'key'): Promise<Buffer> =>
    target.call('decrypt', (provider, signal) =>
      provider.decryptDataKey(keyId, ciphertext, CONTEXT, undefined, { signal }),
    );
  const countOf = (path: string): number => fake.requests.filter((request) => request.path === path).length;

  describe('the service', () => {
    it('refuses the connection: unavailable, and back without a restart', async () => {
      const { url } = fake;
      const port = Number(new URL(url).port);
      await fake.close();
      const target = open({ endpoint: url, token: 'token' });
      await expect(makeKey(target)).rejects.toMatchObject({ kind: 'kms-unavailable', retryable: true });
      fake = await startVaultServer({ port, rootToken: 'token' });
      fake.createKey('key');
      await expect(makeKey(target)).resolves.toMatchObject({ plaintext: expect.any(Buffer) });
    });

    it('hangs: each attempt ends at its time limit', async () => {
      const target = open({}, { attemptTimeout: 500, maxRetries: 1 });
      // Past the call policy, whose limit a busy machine may need for itself.
      await target.provider.generateDataKey('key', CONTEXT, { signal: AbortSignal.timeout(30_000) });
      fake.clearRequests();
      fake.inject({ action: { type: 'hang' }, path: /datakey/ });
      await expect(makeKey(target)).rejects.toMatchObject({ kind: 'kms-timeout' });
      expect(countOf('transit/datakey/plaintext/key')).toBe(2);
    });

    it.each([429, 500, 502, 503, 473, 412])(
      'answers %i twice and then well: the third attempt counts',
      async (status) => {
        const target = open();
        fake.inject({ action: { type: 'status', status }, path: /datakey/, times: 2 });
        await expect(makeKey(target)).resolves.toBeDefined();
        expect(countOf('transit/datakey/plaintext/key')).toBe(3);
      },
    );

    it('resets the connection once: the next attempt counts', async () => {
      const target = open();
      fake.inject({ action: { type: 'reset' }, times: 1 });
      await expect(makeKey(target)).resolves.toBeDefined();
    });

    it('is sealed: said so, and over when it is unsealed', async () => {
      const target = open();
      const { ciphertext, plaintext } = await makeKey(target);
      fake.seal();
      await expect(unwrap(target, ciphertext)).rejects.toMatchObject({ kind: 'kms-sealed' });
      await target.refresh(0);
      expect(target.status(true)).toMatchObject({ health: 'offline', lastError: { kind: 'kms-sealed' } });
      fake.unseal();
      expect(await unwrap(target, ciphertext)).toEqual(plaintext);
      expect(target.status(true)).toMatchObject({ health: 'online' });
    });

    it('loses the answer to a rotation: it is not rotated twice', async () => {
      const target = open();
      fake.inject({ action: { type: 'lose-answer' }, path: /rotate$/, times: 1 });
      const rotate = target.call('rotate', (provider, signal) =>
        (provider as VaultProvider).rotateKey('key', { signal }),
      );
      await expect(rotate).rejects.toMatchObject({ kind: 'kms-unavailable' });
      expect(countOf('transit/keys/key/rotate')).toBe(1);
    });

    it('answers from a standby that lags: what was made and rotated is waited for', async () => {
      const target = open();
      const manage = (keyId: string, verb: 'createKey' | 'rotateKey'): Promise<KeyDescription> =>
        target.call('create', (provider, signal) => provider[verb]!(keyId, { signal }));
      fake.inject({ method: 'GET', path: /keys\/late$/, times: 3, action: { type: 'status', status: 404 } });
      expect(await manage('late', 'createKey')).toMatchObject({ latestVersion: '1' });
      const headers = { 'X-Vault-Token': fake.rootToken };
      const text = await (await fetch(`${fake.url}/v1/transit/keys/late`, { headers })).text();
      fake.inject({ method: 'GET', path: /keys\/late$/, times: 3, action: { type: 'answer', status: 200, text } });
      expect(await manage('late', 'rotateKey')).toMatchObject({ latestVersion: '2' });
    });

    it('answers with a web page: fails closed', async () => {
      const target = open();
      await makeKey(target);
      fake.inject({ action: { type: 'answer', status: 200, text: '<html>login</html>' }, path: /datakey/ });
      await expect(makeKey(target)).rejects.toMatchObject({ kind: 'kms-protocol' });
    });

    it('answers with more than is sensible: fails closed', async () => {
      const target = open();
      await makeKey(target);
      fake.inject({
        action: { type: 'answer', status: 200, text: `{"data":"${'x'.repeat(2 * 1024 * 1024)}"}` },
        path: /datakey/,
      });
      await expect(makeKey(target)).rejects.toMatchObject({ kind: 'kms-protocol' });
    });

    it.each([
      ['a short key', { plaintext: Buffer.alloc(16).toString('base64'), ciphertext: 'vault:v1:AAAA' }],
      ['no key', { ciphertext: 'vault:v1:AAAA' }],
      ['a strange ciphertext', { plaintext: Buffer.alloc(32).toString('base64'), ciphertext: 'other:v1:AAAA' }],
    ])('answers with %s: fails closed', async (_what, data) => {
      const target = open();
      await makeKey(target);
      fake.inject({ action: { type: 'answer', status: 200, text: JSON.stringify({ data }) }, path: /datakey/ });
      await expect(makeKey(target)).rejects.toMatchObject({ kind: 'kms-protocol' });
    });

    it('fails for a while: the breaker opens, spares it, and closes when it is back', async () => {
      const target = open({}, { maxRetries: 0, breakerThreshold: 3, breakerCoolDown: 40 });
      await makeKey(target);
      fake.inject({ action: { type: 'status', status: 500 }, path: /datakey/ });
      for (let i = 0; i < 3; i++) {
        await expect(makeKey(target)).rejects.toMatchObject({ kind: 'kms-unavailable' });
      }
      expect(target.status(true).breaker).toBe('open');
      const before = fake.requests.length;
      await expect(makeKey(target)).rejects.toMatchObject({ kind: 'kms-unavailable' });
      expect(fake.requests).toHaveLength(before);
      fake.clearFaults();
      const deadline = performance.now() + 5_000;
      while (target.status(true).breaker === 'open' && performance.now() < deadline) {
        await new Promise(setImmediate);
      }
      await expect(makeKey(target)).resolves.toBeDefined();
      expect(target.status(true).breaker).toBe('closed');
    });
  });

  describe('credentials', () => {
    it('AppRole: a token revoked between two calls is replaced, once for all callers', async () => {
      const target = open(appRole());
      const { ciphertext, plaintext } = await makeKey(target);
      fake.revokeAllTokens();
      const answers = await Promise.all(Array.from({ length: 8 }, () => unwrap(target, ciphertext)));
      expect(answers).toEqual(Array.from({ length: 8 }, () => plaintext));
      expect(countOf('auth/approle/login')).toBe(2);
    });

    it('AppRole: a token that has run out is replaced before it is used', async () => {
      const target = open(appRole(1));
      await makeKey(target);
      fake.advance(5_000);
      await expect(makeKey(target)).resolves.toBeDefined();
    });

    it('AppRole: many first callers make one login', async () => {
      const target = open(appRole());
      await Promise.all(Array.from({ length: 16 }, () => makeKey(target)));
      expect(countOf('auth/approle/login')).toBe(1);
      expect(countOf('transit/keys/key')).toBe(1);
    });

    it('AppRole: a refused login is not retried and says what to do', async () => {
      const target = open({ ...appRole(), auth_approle_secret: 'wrong' });
      await expect(makeKey(target)).rejects.toMatchObject({
        kind: 'kms-unauthenticated',
        retryable: false,
        remedy: expect.stringContaining('secret id'),
      });
      expect(countOf('auth/approle/login')).toBe(1);
      expect(target.status(true)).toMatchObject({ health: 'offline', breaker: 'closed' });
    });

    it('AppRole: the secret id file is read again at every login', async () => {
      const directory = await mkdtemp(join(tmpdir(), 'vault-secret-'));
      const file = join(directory, 'secret-id');
      const { auth_approle_id: roleId, auth_approle_secret: secretId } = appRole();
      try {
        await writeFile(file, 'outdated\n');
        const target = open({ auth_approle_id: roleId, auth_approle_secret_file: file });
        await expect(makeKey(target)).rejects.toMatchObject({ kind: 'kms-unauthenticated' });
        await writeFile(file, `${String(secretId)}\n`);
        await expect(makeKey(target)).resolves.toBeDefined();
      } finally {
        await rm(directory, { recursive: true });
      }
    });

    it('token: a revoked one is told from a missing permission', async () => {
      const token = fake.createToken({ policies: ['default', 'objects'], ttl: 3600 });
      const target = open({ token });
      await makeKey(target);
      fake.putPolicy('objects', { 'transit/keys/*': ['read'] });
      await expect(makeKey(target)).rejects.toMatchObject({
        kind: 'kms-access-denied',
        remedy: expect.stringContaining('path "transit/datakey/plaintext/key"'),
      });
      fake.revokeToken(token);
      const other = open({ token });
      await expect(makeKey(other)).rejects.toMatchObject({ kind: 'kms-unauthenticated' });
    });

    it('token file: a replaced token is picked up when the old one is revoked', async () => {
      const directory = await mkdtemp(join(tmpdir(), 'vault-token-'));
      const file = join(directory, 'token');
      const old = fake.createToken({ policies: ['default', 'objects'] });
      try {
        await writeFile(file, `${old}\n`);
        const target = open({ token: undefined, token_file: file });
        await makeKey(target);
        await writeFile(file, fake.createToken({ policies: ['default', 'objects'] }));
        fake.revokeToken(old);
        await expect(makeKey(target)).resolves.toBeDefined();
      } finally {
        await rm(directory, { recursive: true });
      }
    });

    it('a permission that stays missing does not cause a wave of logins', async () => {
      fake.putPolicy('bare', { 'transit/keys/*': ['read'] });
      const { roleId, secretId } = fake.createRole({ policies: ['bare'], ttl: 3600 });
      const target = open({ auth_approle_id: roleId, auth_approle_secret: secretId });
      for (let i = 0; i < 5; i++) {
        await expect(makeKey(target)).rejects.toMatchObject({ kind: 'kms-access-denied' });
      }
      expect(countOf('auth/approle/login')).toBeLessThanOrEqual(2);
    });
  });

  describe('the surroundings', () => {
    it('does not take the token along to another host, nor follow there', async () => {
      const stranger = await startVaultServer();
      try {
        const target = open();
        await makeKey(target);
        fake.inject({ action: { type: 'redirect', location: `${stranger.url}/v1/transit/datakey/plaintext/key` } });
        await expect(makeKey(target)).rejects.toMatchObject({
          kind: 'kms-unavailable',
          remedy: expect.stringContaining(stranger.url),
        });
        expect(stranger.requests).toHaveLength(0);
      } finally {
        await stranger.close();
      }
    });

    it('follows a redirect inside the same origin', async () => {
      const target = open();
      fake.inject({
        action: { type: 'redirect', location: '/v1/transit/datakey/plaintext/key' },
        path: /datakey/,
        times: 1,
      });
      await expect(makeKey(target)).resolves.toBeDefined();
    });

    it('does not follow redirects without end', async () => {
      const target = open({}, { maxRetries: 0 });
      fake.inject({ action: { type: 'redirect', location: '/v1/auth/token/lookup-self' } });
      await expect(makeKey(target)).rejects.toMatchObject({ kind: 'kms-unavailable' });
      expect(fake.requests.length).toBeLessThan(6);
    });

    it('hot swap: a call under way ends on the old provider, which is destroyed only then', async () => {
      const target = open();
      await makeKey(target);
      fake.inject({ action: { type: 'delay', milliseconds: 100 }, path: /datakey/, times: 1 });
      const running = makeKey(target);
      await new Promise(setImmediate);
      const retired = target.retire();
      opened.splice(0);
      await expect(running).resolves.toMatchObject({ plaintext: expect.any(Buffer) });
      await expect(retired).resolves.toBeUndefined();
    });
  });

  describe('TLS', () => {
    let directory: string;
    let authority: { cert: string; private: string };
    let server: { cert: string; private: string };

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'vault-tls-'));
      authority = await generate([{ name: 'commonName', value: 'Test CA' }], {
        extensions: [
          { name: 'basicConstraints', cA: true, critical: true },
          { name: 'keyUsage', keyCertSign: true, digitalSignature: true },
        ],
      });
      server = await generate([{ name: 'commonName', value: 'vault.internal' }], {
        ca: { key: authority.private, cert: authority.cert },
        extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'vault.internal' }] }],
      });
    });

    afterAll(() => rm(directory, { recursive: true }));

    async function withTls(clientAuthority?: string): Promise<FakeVault> {
      await fake.close();
      fake = await startVaultServer({ tls: { cert: server.cert, key: server.private, ca: clientAuthority } });
      fake.createKey('key', { derived: true });
      return fake;
    }

    const testOf = (target: KmsTarget): ReturnType<VaultProvider['testConnection']> =>
      target.provider.testConnection({ signal: AbortSignal.timeout(10_000) });

    it('accepts the authority given and the server name given', async () => {
      await withTls();
      const target = open({ ca_pem: authority.cert, tls_server_name: 'vault.internal' });
      await expect(makeKey(target)).resolves.toBeDefined();
      expect((await testOf(target)).ok).toBe(true);
    });

    it('refuses an unknown authority, and the test says so', async () => {
      await withTls();
      const target = open({ tls_server_name: 'vault.internal' }, { maxRetries: 0 });
      await expect(makeKey(target)).rejects.toMatchObject({
        kind: 'kms-unavailable',
        remedy: expect.stringContaining('ca_file'),
      });
      const report = await testOf(target);
      expect(report.ok).toBe(false);
      expect(report.steps.find(({ name }) => name === 'tls')).toMatchObject({
        outcome: 'failed',
        detail: expect.stringContaining('authority'),
        remedy: expect.stringContaining('ca_pem'),
      });
      expect(report.steps.at(-1)?.outcome).toBe('skipped');
    });

    it('refuses a certificate of another name', async () => {
      await withTls();
      const target = open({ ca_pem: authority.cert }, { maxRetries: 0 });
      await expect(makeKey(target)).rejects.toMatchObject({ kind: 'kms-unavailable' });
      expect((await testOf(target)).steps.find(({ name }) => name === 'tls')).toMatchObject({ outcome: 'failed' });
    });

    it('accepts anything only when told to, and warns', async () => {
      await withTls();
      const target = open({ tls_skip_verify: true });
      await expect(makeKey(target)).resolves.toBeDefined();
      expect((await testOf(target)).steps.find(({ name }) => name === 'tls')).toMatchObject({ outcome: 'warning' });
    });

    it('shows its client certificate', async () => {
      const client = await generate([{ name: 'commonName', value: 'strongroom' }], {
        ca: { key: authority.private, cert: authority.cert },
      });
      const [certFile, keyFile, caFile] = ['client.pem', 'client.key', 'ca.pem'].map((name) => join(directory, name));
      await Promise.all([
        writeFile(certFile ?? '', client.cert),
        writeFile(keyFile ?? '', client.private),
        writeFile(caFile ?? '', authority.cert),
      ]);
      await withTls(authority.cert);
      const tls = { ca_file: caFile, tls_server_name: 'vault.internal' };
      await expect(makeKey(open(tls, { maxRetries: 0 }))).rejects.toMatchObject({ kind: 'kms-unavailable' });
      await expect(
        makeKey(open({ ...tls, client_cert_file: certFile, client_key_file: keyFile })),
      ).resolves.toBeDefined();
    });

    it('names a file that cannot be read, and goes on when it can', async () => {
      await withTls();
      const caFile = join(directory, 'late.pem');
      const target = open({ ca_file: caFile, tls_server_name: 'vault.internal' }, { maxRetries: 0 });
      await expect(makeKey(target)).rejects.toMatchObject({
        kind: 'kms-not-configured',
        remedy: expect.stringContaining(caFile),
      });
      await writeFile(caFile, authority.cert);
      await expect(makeKey(target)).resolves.toBeDefined();
    });
  });
});
