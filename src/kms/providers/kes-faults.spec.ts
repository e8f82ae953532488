import { randomBytes, X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { startKesServer, type FakeKes, type KesPolicy } from '../../../test/fakes/kes-server';
import { testCertificate } from '../../../test/support/test-certificate';
import type { FieldValues } from '../../config/subsystem';
import { DEFAULT_CALL_POLICY, type CallPolicyOptions } from '../kms-call-policy';
import type { ConnectionTestReport } from '../kms-provider';
import { KmsTarget } from '../kms-target';
import { identityOf, kesIdentity } from './kes-api-key';
import { kesSettings, validateKesSettings } from './kes-settings';
import { KesProvider } from './kes.provider';

const DAY = 86_400_000;
const CONTEXT = { bucket: 'bucket/key' };
const API_KEY = `kes:v1:${Buffer.concat([Buffer.of(0), randomBytes(32)]).toString('base64')}`;
const QUICK: CallPolicyOptions = {
  ...DEFAULT_CALL_POLICY,
  maxRetries: 2,
  backoffBase: 1,
  backoffCap: 2,
  breakerThreshold: 100,
};

Logger.overrideLogger(false);

describe('KES provider under faults', () => {
  let certificate: { cert: string; key: string };
  let fake: FakeKes;
  const opened: KmsTarget[] = [];

  beforeAll(async () => {
    certificate = await testCertificate();
  });

  beforeEach(async () => {
    fake = await start();
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((target) => target.retire()));
    await fake.close();
  });

  async function start(port = 0): Promise<FakeKes> {
    const kes = await startKesServer({ ...certificate, port, admin: kesIdentity(API_KEY).identity });
    kes.createKey('key');
    return kes;
  }

  function open(values: FieldValues = {}, policy: Partial<CallPolicyOptions> = {}): KmsTarget {
    const settings = kesSettings({
      endpoint: fake.url,
      key_name: 'key',
      api_key: API_KEY,
      ca_pem: certificate.cert,
      ...values,
    });
    const target = new KmsTarget('test', new KesProvider('kes:test', settings), 1, { ...QUICK, ...policy });
    opened.push(target);
    return target;
  }

  const makeKey = (target: KmsTarget, keyId = 'key'): Promise<{ plaintext: Buffer; ciphertext: Buffer }> =>
    target.call('generate', (provider, signal) => provider.generateDataKey(keyId, CONTEXT, { signal }));
  const unwrap = (target: KmsTarget, ciphertext: Buffer): Promise<Buffer> =>
    target.call('decrypt', (provider, signal) =>
      provider.decryptDataKey('key', ciphertext, CONTEXT, undefined, { signal }),
    );
  const countOf = (path: RegExp): number => fake.requests.filter((request) => path.test(request)).length;

  it('refuses the connection: unavailable, and back without a restart', async () => {
    const port = Number(new URL(fake.url).port);
    const target = open();
    await fake.close();
    await expect(makeKey(target)).rejects.toMatchObject({ kind: 'kms-unavailable', retryable: true });
    fake = await start(port);
    await expect(makeKey(target)).resolves.toBeDefined();
  });

  it('hangs: each attempt ends at its time limit', async () => {
    const target = open({}, { attemptTimeout: 300, maxRetries: 1 });
    fake.inject({ type: 'hang' }, /generate/);
    await expect(makeKey(target)).rejects.toMatchObject({ kind: 'kms-timeout' });
    expect(countOf(/generate/)).toBe(2);
  });

  it.each([429, 500, 502, 503])('answers %i twice and then well: the third attempt counts', async (status) => {
    const target = open();
    fake.inject({ type: 'status', status }, /generate/, 2);
    await expect(makeKey(target)).resolves.toBeDefined();
    expect(countOf(/generate/)).toBe(3);
  });

  it('loses its key store: said so, in the probe as well', async () => {
    const target = open();
    fake.setKeyStoreDown(true);
    await expect(makeKey(target)).rejects.toMatchObject({
      kind: 'kms-unavailable',
      message: expect.stringContaining('key store'),
    });
    await target.refresh(0);
    expect(target.status(true)).toMatchObject({ health: 'offline' });
    fake.setKeyStoreDown(false);
    await expect(makeKey(target)).resolves.toBeDefined();
  });

  it('answers with a web page, or without a key: fails closed', async () => {
    const target = open();
    fake.inject({ type: 'answer', status: 200, text: '<html>' }, /generate/, 1);
    await expect(makeKey(target)).rejects.toMatchObject({ kind: 'kms-protocol' });
    fake.inject({ type: 'answer', status: 200, text: '{"plaintext":"AAAA","ciphertext":"AAAA"}' }, /generate/, 1);
    await expect(makeKey(target)).rejects.toMatchObject({ kind: 'kms-protocol' });
  });

  it('takes another server when the first is gone, and stays there', async () => {
    const second = await start();
    const target = open({ endpoint: `${fake.url}, ${second.url}` });
    await fake.close();
    await expect(makeKey(target)).resolves.toBeDefined();
    await expect(makeKey(target)).resolves.toBeDefined();
    expect(second.requests).toHaveLength(2);
    const report = await target.provider.testConnection({ signal: AbortSignal.timeout(10_000) });
    expect(report.ok).toBe(true);
    expect(report.steps.map(({ outcome }) => outcome).slice(0, 2)).toEqual(['warning', 'passed']);
    await second.close();
  });

  describe('connection test', () => {
    let directory: string;

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'kes-client-'));
    });

    afterAll(() => rm(directory, { recursive: true }));

    const run = (values: FieldValues = {}): Promise<ConnectionTestReport> =>
      open(values).provider.testConnection({ signal: AbortSignal.timeout(10_000) });
    const stepOf = async (name: string, values: FieldValues = {}): Promise<object | undefined> =>
      (await run(values)).steps.find((step) => step.name === name);

    /** A client certificate that KES gives this policy. */
    async function certificateFields(daysLeft: number, policy: KesPolicy = { allow: ['/v1/*'] }): Promise<FieldValues> {
      const now = Date.now();
      const shown = await testCertificate({ from: new Date(now - 90 * DAY), until: new Date(now + daysLeft * DAY) });
      const files = { client_cert_file: join(directory, 'cert.pem'), client_key_file: join(directory, 'key.pem') };
      await Promise.all([writeFile(files.client_cert_file, shown.cert), writeFile(files.client_key_file, shown.key)]);
      fake.assign(identityOf(new X509Certificate(shown.cert).publicKey), policy);
      return { api_key: '', ...files };
    }

    it('tells by what identity KES knows it, and warns when it is the administrator', async () => {
      expect(await stepOf('identity')).toMatchObject({
        outcome: 'warning',
        detail: expect.stringContaining(`${kesIdentity(API_KEY).identity}, by api_key, which does not expire`),
        remedy: expect.stringContaining('/v1/key/generate/*'),
      });
      expect(await stepOf('client certificate')).toBeUndefined();
      expect(await stepOf('identity', await certificateFields(60))).toMatchObject({
        outcome: 'passed',
        detail: expect.stringMatching(/^KES knows this client as [0-9a-f]{64}, by client_cert_file$/),
      });
    });

    it.each([
      [60, 'passed', /valid until [^;]*$/],
      [5, 'warning', /it expires in 4 days$/],
      [-1, 'warning', /it has expired$/],
    ])('looks at a client certificate that is valid for %i days more', async (days, outcome, detail) => {
      expect(await stepOf('client certificate', await certificateFields(days))).toMatchObject({
        outcome,
        detail: expect.stringMatching(detail),
        ...(outcome === 'warning' ? { remedy: expect.stringContaining('client_cert_file') } : {}),
      });
    });

    const allowed = (...verbs: readonly string[]): KesPolicy => ({
      allow: verbs.map((verb) => `/v1/key/${verb}/*`),
    });

    it.each([
      ['generate', 'make data keys'],
      ['decrypt', 'unwrap data keys'],
    ])('stops where %s is not permitted, and names it with the policy', async (verb, purpose) => {
      const others = ['generate', 'decrypt', 'describe', 'list', 'create', 'import'].filter((each) => each !== verb);
      const report = await run(await certificateFields(60, allowed(...others)));
      expect(report.steps.find(({ outcome }) => outcome === 'failed')).toMatchObject({
        name: 'permissions',
        detail: `The identity lacks /v1/key/${verb}/key (to ${purpose})`,
        remedy: expect.stringContaining(`- /v1/key/${verb}/*`),
      });
    });

    it('warns of what objects do not need, and makes no key to find out', async () => {
      const policy = { allow: ['/v1/key/generate/key', '/v1/key/decrypt/key', '/v1/key/list/*'] };
      const report = await run(await certificateFields(60, policy));
      expect(report.ok).toBe(true);
      expect(report.steps.find(({ name }) => name === 'permissions')).toMatchObject({
        outcome: 'warning',
        detail:
          'The identity lacks /v1/key/describe/* (to describe the key), /v1/key/create/* (to create keys from here), ' +
          '/v1/key/import/* (to import keys from here); objects can be encrypted and read',
      });
      const everything = await run(await certificateFields(60));
      expect(everything.steps.find(({ name }) => name === 'permissions')).toMatchObject({
        outcome: 'passed',
        detail: 'The identity may do all that is needed',
      });
      expect(fake.keyNames()).toEqual(['key']);
    });

    it('stops at a client_cert_file that holds no certificate', async () => {
      const file = join(directory, 'empty.pem');
      await writeFile(file, 'nothing');
      expect(await stepOf('client certificate', { client_cert_file: file, client_key_file: file })).toMatchObject({
        outcome: 'failed',
        remedy: expect.stringContaining('PEM'),
      });
    });
  });

  it('loses the key, or its permission: told apart, and permission with the policy that grants it', async () => {
    const target = open();
    const { ciphertext } = await makeKey(target);
    fake.deleteKey('key');
    await expect(unwrap(target, ciphertext)).rejects.toMatchObject({ kind: 'kms-key-not-found' });
    const stranger = `kes:v1:${Buffer.alloc(33, 0).toString('base64')}`;
    await expect(makeKey(open({ api_key: stranger }))).rejects.toMatchObject({
      kind: 'kms-access-denied',
      remedy: expect.stringContaining(kesIdentity(stranger).identity),
    });
    expect(countOf(/generate/)).toBe(2);
  });

  it('refuses what was wrapped by a key of the same name that is another', async () => {
    const target = open();
    const { ciphertext } = await makeKey(target);
    fake.deleteKey('key');
    fake.createKey('key');
    await expect(unwrap(target, ciphertext)).rejects.toMatchObject({ kind: 'kms-invalid-ciphertext' });
  });

  it('stays away from a server with an unknown certificate', async () => {
    const target = open({ ca_pem: (await testCertificate()).cert }, { maxRetries: 0 });
    await expect(makeKey(target)).rejects.toMatchObject({
      kind: 'kms-unavailable',
      remedy: expect.stringContaining('ca_file'),
    });
  });

  it.each([
    ['endpoint', { endpoint: 'http://kes:7373' }],
    ['endpoint', { endpoint: 'https://user:password@kes:7373' }],
    ['key_name', { key_name: '../status' }],
    ['api_key', { api_key: 'kes:v1:AAAA' }],
    ['api_key', { api_key: '' }],
    ['client_cert_file', { client_cert_file: '/cert' }],
    ['ca_pem', { ca_file: '/ca', ca_pem: '-----BEGIN CERTIFICATE-----' }],
  ])('names %s as the problem of %j', async (field, values) => {
    const good = { endpoint: 'https://kes:7373', key_name: 'key', api_key: API_KEY };
    expect(await validateKesSettings(good)).toEqual([]);
    expect((await validateKesSettings({ ...good, ...values })).map((problem) => problem.field)).toContain(field);
  });
});
