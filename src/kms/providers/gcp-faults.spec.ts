import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { startGcpKmsServer, type FakeGcpKms } from '../../../test/fakes/gcp-kms-server';
import type { FieldValues } from '../../config/subsystem';
import { DEFAULT_CALL_POLICY, type CallPolicyOptions } from '../kms-call-policy';
import type { ConnectionTestReport, ProviderDataKey } from '../kms-provider';
import { KmsTarget } from '../kms-target';
import { gcpSettings } from './gcp-settings';
import { GcpProvider } from './gcp.provider';

const CONTEXT = { bucket: 'bucket/key' };
const QUICK: CallPolicyOptions = {
  ...DEFAULT_CALL_POLICY,
  maxRetries: 2,
  backoffBase: 1,
  backoffCap: 2,
  breakerThreshold: 100,
};

Logger.overrideLogger(false);

describe('Google Cloud provider under faults', () => {
  let fake: FakeGcpKms;
  let directory: string;
  const opened: KmsTarget[] = [];

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'gcp-'));
    fake = await startGcpKmsServer();
    fake.createKey('key');
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((target) => target.retire()));
    await fake.close();
    await rm(directory, { recursive: true });
  });

  function open(policy: Partial<CallPolicyOptions> = {}, values: FieldValues = {}): KmsTarget {
    const settings = gcpSettings({
      project: fake.project,
      location: fake.location,
      key_ring: fake.keyRing,
      key_name: 'key',
      endpoint: fake.url,
      ...('credentials_file' in values ? {} : { credentials_json: fake.tokens.serviceAccount }),
      ...values,
    });
    const target = new KmsTarget('test', new GcpProvider('gcp:test', settings), 1, { ...QUICK, ...policy });
    opened.push(target);
    return target;
  }

  async function fileOf(name: string, text: string): Promise<string> {
    const file = join(directory, name);
    await writeFile(file, text);
    return file;
  }

  const makeKey = (target: KmsTarget, keyId = 'key'): Promise<ProviderDataKey> =>
    target.call('generate', (provider, signal) => provider.generateDataKey(keyId, CONTEXT, { signal }));
  const unwrap = (target: KmsTarget, ciphertext: Buffer): Promise<Buffer> =>
    target.call('decrypt', (provider, signal) =>
      provider.decryptDataKey('key', ciphertext, CONTEXT, undefined, { signal }),
    );
  const administer = <T>(
    target: KmsTarget,
    work: (provider: GcpProvider, signal: AbortSignal) => Promise<T>,
  ): Promise<T> => target.call('rotate', (provider, signal) => work(provider as GcpProvider, signal));
  const countOf = (end: string): number => fake.server.requests.filter(({ path }) => path.endsWith(end)).length;
  const run = (target: KmsTarget): Promise<ConnectionTestReport> =>
    target.provider.testConnection({ signal: AbortSignal.timeout(10_000) });
  const error = (code: number, status: string, message = ''): string =>
    JSON.stringify({ error: { code, status, message } });

  it('finds the connection refused: unavailable, and back without a restart', async () => {
    const target = open();
    await target.provider.init?.();
    const port = Number(new URL(fake.url).port);
    const former = fake;
    await fake.close();
    await expect(makeKey(target)).rejects.toMatchObject({ kind: 'kms-unavailable', retryable: true });
    fake = await startGcpKmsServer({ port, ownServiceAccountKey: true });
    fake.createKey('key');
    expect(former.tokens.serviceAccount).not.toBe(fake.tokens.serviceAccount);
    // Another key of the service account by now: reached, and refused for it.
    await expect(makeKey(target)).rejects.toMatchObject({ kind: 'kms-unauthenticated' });
    await expect(makeKey(open())).resolves.toMatchObject({ plaintext: expect.any(Buffer), keyVersion: '1' });
  });

  it('hangs: each attempt ends at its time limit', async () => {
    const target = open({ attemptTimeout: 500, maxRetries: 1 });
    // Past the call policy: the first call of an SDK takes its time.
    await target.provider.generateDataKey('key', CONTEXT, { signal: AbortSignal.timeout(30_000) });
    const before = countOf(':encrypt');
    fake.server.inject({ type: 'hang' });
    await expect(makeKey(target)).rejects.toMatchObject({ kind: 'kms-timeout' });
    expect(countOf(':encrypt') - before).toBe(2);
  });

  it.each([
    [429, error(429, 'RESOURCE_EXHAUSTED')],
    [429, '<html>'],
    [500, error(500, 'INTERNAL')],
    [503, error(503, 'UNAVAILABLE')],
    [502, '<html>'],
    [504, error(504, 'DEADLINE_EXCEEDED')],
    [400, error(400, 'INVALID_ARGUMENT', 'The checksum in field plaintext_crc32c did not match the data')],
  ])(
    'answers %i %s twice and then well: the third attempt counts, and the SDK makes none of its own',
    async (status, text) => {
      const target = open();
      fake.server.inject({ type: 'answer', status, text }, undefined, 2);
      await expect(makeKey(target)).resolves.toBeDefined();
      expect(countOf(':encrypt')).toBe(3);
    },
  );

  it('resets the connection once: the next attempt counts', async () => {
    const target = open();
    fake.server.inject({ type: 'reset' }, undefined, 1);
    await expect(makeKey(target)).resolves.toBeDefined();
  });

  it('loses the answer to a rotation: it is not rotated twice', async () => {
    const target = open();
    fake.server.inject({ type: 'lose-answer' }, ({ method, path }) => method === 'POST' && /Versions$/.test(path), 1);
    await expect(administer(target, (provider, signal) => provider.rotateKey('key', { signal }))).rejects.toMatchObject(
      {
        kind: 'kms-unavailable',
      },
    );
    expect(fake.server.requests.filter(({ method, path }) => method === 'POST' && /Versions$/.test(path))).toHaveLength(
      1,
    );
  });

  describe('answers that cannot be trusted', () => {
    const CIPHERTEXT = {
      name: 'projects/fake-project/locations/europe-west3/keyRings/ring/cryptoKeys/key/cryptoKeyVersions/1',
      ciphertext: Buffer.from('123456789').toString('base64'),
      // Check value of CRC-32C in the catalogue of parametrised CRC algorithms.
      ciphertextCrc32c: String(0xe3069283),
      verifiedPlaintextCrc32c: true,
      verifiedAdditionalAuthenticatedDataCrc32c: true,
    };
    const answer = (values: object): unknown => JSON.stringify({ ...CIPHERTEXT, ...values });

    it('takes the one that the others are made of', async () => {
      fake.server.inject({ type: 'answer', status: 200, text: String(answer({})) });
      expect((await makeKey(open())).ciphertext.toString()).toBe('123456789');
    });

    it.each([
      ['a web page', '<html>login</html>'],
      ['nothing', ''],
      ['a list', '[]'],
      ['no ciphertext', answer({ ciphertext: '', ciphertextCrc32c: '0' })],
      ['another key', answer({ name: CIPHERTEXT.name.replace('/key/', '/other/') })],
      ['a corrupted ciphertext', answer({ ciphertext: Buffer.from('123456780').toString('base64') })],
      ['no checksum', answer({ ciphertextCrc32c: undefined })],
      ['an unverified data key', answer({ verifiedPlaintextCrc32c: false })],
      ['an unverified context', answer({ verifiedAdditionalAuthenticatedDataCrc32c: undefined })],
    ])('wraps with %s: fails closed', async (_what, text) => {
      fake.server.inject({ type: 'answer', status: 200, text: String(text) });
      await expect(makeKey(open())).rejects.toMatchObject({ kind: 'kms-protocol' });
    });

    it.each([
      ['a wrong checksum', { plaintext: Buffer.alloc(32).toString('base64'), plaintextCrc32c: '1' }],
      ['no checksum', { plaintext: Buffer.alloc(32).toString('base64') }],
      // RFC 3720, appendix B.4, for the whole 32 bytes; Google's checksum cannot help against a key of another length.
      [
        'a data key of another length',
        { plaintext: Buffer.from('123456789').toString('base64'), plaintextCrc32c: String(0xe3069283) },
      ],
      ['nothing', {}],
    ])('unwraps with %s: fails closed', async (_what, values) => {
      const target = open();
      const { ciphertext } = await makeKey(target);
      fake.server.inject({ type: 'answer', status: 200, text: JSON.stringify(values) });
      await expect(unwrap(target, ciphertext)).rejects.toMatchObject({ kind: 'kms-protocol' });
    });
  });

  it('refuses credentials that were revoked, and serves again when they are back', async () => {
    const target = open();
    const { ciphertext, plaintext } = await makeKey(target);
    fake.tokens.revoke();
    await expect(unwrap(target, ciphertext)).rejects.toMatchObject({ kind: 'kms-unauthenticated', retryable: false });
    expect(target.status(true)).toMatchObject({ health: 'offline' });
    fake.tokens.revoke(false);
    expect(await unwrap(target, ciphertext)).toEqual(plaintext);
    expect(target.status(true)).toMatchObject({ health: 'online' });
  });

  describe('credentials', () => {
    it('come from a file', async () => {
      const file = await fileOf('account.json', fake.tokens.serviceAccount);
      await expect(makeKey(open({}, { credentials_file: file }))).resolves.toBeDefined();
    });

    it('are exchanged for a token where the workload has another identity, once for many calls', async () => {
      const subject = await fileOf('token', fake.tokens.subjectToken);
      const target = open({}, { credentials_file: await fileOf('wif.json', fake.tokens.workload(fake.url, subject)) });
      await makeKey(target);
      await makeKey(target);
      expect(countOf('/v1/token')).toBe(1);
    });

    it('are exchanged in vain: unauthenticated', async () => {
      const subject = await fileOf('token', 'of somebody else');
      const target = open({}, { credentials_json: fake.tokens.workload(fake.url, subject) });
      await expect(makeKey(target)).rejects.toMatchObject({
        kind: 'kms-unauthenticated',
        remedy: expect.stringContaining('credentials_file'),
      });
    });

    it('are exchanged without an end: each attempt ends at its time limit', async () => {
      const subject = await fileOf('token', fake.tokens.subjectToken);
      const target = open(
        { attemptTimeout: 1_000, maxRetries: 1 },
        { credentials_json: fake.tokens.workload(fake.url, subject) },
      );
      await target.provider.init?.();
      fake.server.inject({ type: 'hang' }, ({ path }) => path === '/v1/token');
      await expect(makeKey(target)).rejects.toMatchObject({ kind: 'kms-timeout' });
      fake.server.clearFaults();
      await expect(makeKey(target)).resolves.toBeDefined();
    });

    it.each([
      ['is missing', undefined],
      ['is no JSON', 'very-secret-text'],
    ])('whose file %s are named and not shown', async (_what, text) => {
      const file = text === undefined ? join(directory, 'missing') : await fileOf('bad.json', text);
      const caught = await makeKey(open({}, { credentials_file: file })).catch((failure: unknown) => failure);
      expect(caught).toMatchObject({
        kind: 'kms-unauthenticated',
        remedy: expect.stringContaining('credentials_file'),
      });
      expect(JSON.stringify(caught, Object.getOwnPropertyNames(caught))).not.toContain('very-secret-text');
    });

    it('with a key that somebody else has are refused, and not shown', async () => {
      const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
      const pem = String(privateKey.export({ type: 'pkcs8', format: 'pem' }));
      const json = JSON.stringify({ ...(JSON.parse(fake.tokens.serviceAccount) as object), private_key: pem });
      const caught = await makeKey(open({}, { credentials_json: json })).catch((failure: unknown) => failure);
      expect(caught).toMatchObject({ kind: 'kms-unauthenticated' });
      expect(JSON.stringify(caught, Object.getOwnPropertyNames(caught))).not.toContain('PRIVATE KEY');
    });

    it('with a key that is none cannot sign', async () => {
      const json = JSON.stringify({ ...(JSON.parse(fake.tokens.serviceAccount) as object), private_key: 'no key' });
      await expect(makeKey(open({}, { credentials_json: json }))).rejects.toMatchObject({
        kind: 'kms-unauthenticated',
      });
    });
  });

  it('names the role to grant when a permission is denied', async () => {
    fake.deny('cloudkms.cryptoKeyVersions.useToEncrypt');
    await expect(makeKey(open())).rejects.toMatchObject({
      kind: 'kms-access-denied',
      remedy: expect.stringContaining('roles/cloudkms.cryptoKeyEncrypterDecrypter'),
    });
  });

  it('says when the API is not turned on', async () => {
    const body = { error: { status: 'PERMISSION_DENIED', message: '', details: [{ reason: 'SERVICE_DISABLED' }] } };
    fake.server.inject({ type: 'answer', status: 403, text: JSON.stringify(body) });
    await expect(makeKey(open())).rejects.toMatchObject({ remedy: expect.stringContaining('gcloud services enable') });
  });

  it('takes full resource names, and shortens those of its ring', async () => {
    const target = open({}, { key_name: fake.createKey('other') });
    expect(target.provider.defaultKeyId).toBe('other');
    const { ciphertext, plaintext } = await makeKey(target, fake.createKey('key'));
    expect(await unwrap(target, ciphertext)).toEqual(plaintext);
    await expect(
      makeKey(target, 'projects/fake-project/locations/europe-west3/keyRings/elsewhere/cryptoKeys/key'),
    ).rejects.toMatchObject({ kind: 'kms-key-not-found' });
  });

  it('makes the default key where that is asked for, and no other', async () => {
    const target = open({}, { key_name: 'fresh', create_key: true });
    await expect(makeKey(target, 'fresh')).resolves.toMatchObject({ keyVersion: '1' });
    await expect(makeKey(target, 'another')).rejects.toMatchObject({ kind: 'kms-key-not-found' });
    await expect(makeKey(open({}, { key_name: 'never' }), 'never')).rejects.toMatchObject({
      kind: 'kms-key-not-found',
    });
  });

  it('waits until an HSM has made the material', async () => {
    const target = open({}, { protection_level: 'HSM' });
    const made = await administer(target, (provider, signal) => provider.createKey('hard', { signal }));
    expect(made).toMatchObject({ state: 'enabled', algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION (HSM)' });
    await expect(makeKey(target, 'hard')).resolves.toBeDefined();
  });

  describe('deletion', () => {
    it('is refused when keys wait shorter than asked, and tells the real date when longer', async () => {
      const target = open();
      const schedule = (): Promise<unknown> =>
        administer(target, (provider, signal) => provider.scheduleKeyDeletion('key', 10, { signal }));
      fake.setDestroyWait('key', 86_400);
      await expect(schedule()).rejects.toMatchObject({
        kind: 'kms-invalid-request',
        message: expect.stringContaining('1 days'),
      });
      await expect(makeKey(target)).resolves.toBeDefined();
      fake.setDestroyWait('key', 20 * 86_400);
      const { deletionDate } = (await schedule()) as { deletionDate: Date };
      expect(Math.round((deletionDate.getTime() - Date.now()) / 86_400_000)).toBe(20);
    });

    it('takes in every version, and so does its cancellation', async () => {
      const target = open();
      const before = await makeKey(target);
      await administer(target, (provider, signal) => provider.rotateKey('key', { signal }));
      await administer(target, (provider, signal) => provider.scheduleKeyDeletion('key', 7, { signal }));
      await expect(unwrap(target, before.ciphertext)).rejects.toMatchObject({ kind: 'kms-key-pending-deletion' });
      await administer(target, (provider, signal) => provider.cancelKeyDeletion('key', { signal }));
      await expect(unwrap(target, before.ciphertext)).rejects.toMatchObject({ kind: 'kms-key-disabled' });
      await administer(target, (provider, signal) => provider.setKeyEnabled('key', true, { signal }));
      expect(await unwrap(target, before.ciphertext)).toEqual(before.plaintext);
    });

    it('is final when the wait is over', async () => {
      const target = open();
      const { ciphertext } = await makeKey(target);
      fake.destroyVersions('key');
      await expect(unwrap(target, ciphertext)).rejects.toMatchObject({ kind: 'kms-key-not-found' });
      await expect(
        administer(target, (provider, signal) => provider.cancelKeyDeletion('key', { signal })),
      ).rejects.toMatchObject({ kind: 'kms-invalid-request' });
      await expect(
        administer(target, (provider, signal) => provider.setKeyEnabled('key', true, { signal })),
      ).rejects.toMatchObject({ kind: 'kms-key-pending-deletion' });
    });
  });

  it('works without the permission to look at keys', async () => {
    fake.deny('cloudkms.cryptoKeys.get');
    const target = open();
    await expect(target.provider.probe({ signal: AbortSignal.timeout(5_000) })).resolves.toBeUndefined();
    await expect(makeKey(target)).resolves.toBeDefined();
  });

  describe('connection test', () => {
    const STEPS = ['dns', 'tcp', 'tls', 'authentication', 'key', 'permissions', 'round trip', 'clock'];

    it('goes all the way', async () => {
      const report = await run(open());
      expect(report.steps.map(({ name }) => name)).toEqual(STEPS);
      expect(report.steps.filter(({ outcome }) => outcome !== 'passed').map(({ name }) => name)).toEqual(['tls']);
    });

    it.each([
      ['tcp', (): FieldValues => ({ endpoint: 'http://127.0.0.1:1' })],
      ['tls', (): FieldValues => ({ endpoint: fake.url.replace('http:', 'https:') })],
      ['key', (): FieldValues => ({ key_name: 'nobody-made-it' })],
      ['key', (): FieldValues => ({ key_name: fake.createKey('signing', 5) })],
    ])('stops at %s', async (name, values) => {
      const report = await run(open({}, values()));
      expect(report.ok).toBe(false);
      expect(report.steps.find(({ outcome }) => outcome === 'failed')).toMatchObject({
        name,
        remedy: expect.any(String),
      });
    });

    it('stops at credentials that are not accepted', async () => {
      fake.tokens.revoke();
      const failed = (await run(open())).steps.find(({ outcome }) => outcome === 'failed');
      expect(failed).toMatchObject({ name: 'authentication', remedy: expect.stringContaining('credentials_json') });
    });

    it('stops at a missing permission and names it', async () => {
      fake.deny('cloudkms.cryptoKeyVersions.useToDecrypt');
      const failed = (await run(open())).steps.find(({ outcome }) => outcome === 'failed');
      expect(failed).toMatchObject({ name: 'permissions', detail: expect.stringContaining('useToDecrypt') });
      expect(failed?.remedy).toContain('gcloud kms keys add-iam-policy-binding key --keyring ring');
    });

    it.each([
      ['cloudkms.cryptoKeyVersions.create', 'rotate keys from here'],
      ['cloudkms.cryptoKeyVersions.destroy', 'schedule deletions from here'],
      ['cloudkms.cryptoKeys.list', 'list keys'],
      ['cloudkms.cryptoKeys.create', 'create keys from here'],
    ])('warns of %s when that is missing, and of what needs it', async (permission, purpose) => {
      fake.deny(permission);
      expect((await run(open())).steps.find(({ name }) => name === 'permissions')).toMatchObject({
        outcome: 'warning',
        detail: `The identity lacks ${permission} (to ${purpose}); objects can be encrypted and read`,
        remedy: expect.stringContaining('roles/cloudkms.admin'),
      });
    });

    it('warns where only keys cannot be administered, and where the clocks differ', async () => {
      fake.deny('cloudkms.cryptoKeys.get', 'cloudkms.cryptoKeys.create');
      fake.server.setClockError(120_000);
      const report = await run(open());
      expect(report.ok).toBe(true);
      expect(report.steps.filter(({ outcome }) => outcome === 'warning').map(({ name }) => name)).toEqual([
        'key',
        'permissions',
        'clock',
      ]);
    });

    it('tells how long a token that was exchanged for is good, and that a key of a service account makes its own', async () => {
      const life = async (values: FieldValues = {}): Promise<string | undefined> =>
        (await run(open({}, values))).steps.find(({ name }) => name === 'authentication')?.detail;
      const subject = await fileOf('token', fake.tokens.subjectToken);
      expect(await life({ credentials_json: fake.tokens.workload(fake.url, subject) })).toMatch(
        /good for 3[56]\d\d s, and renewed before$/,
      );
      expect(await life()).toMatch(/which sign each request and do not expire$/);
    });

    it('makes the key where that is asked for', async () => {
      const report = await run(open({}, { key_name: 'made', create_key: true }));
      expect(report.ok).toBe(true);
    });
  });
});
