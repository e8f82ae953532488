import { Logger } from '@nestjs/common';
import { startAwsKmsServer, type FakeAwsKms } from '../../../test/fakes/aws-kms-server';
import type { FieldValues } from '../../config/subsystem';
import { DEFAULT_CALL_POLICY, type CallPolicyOptions } from '../kms-call-policy';
import { KmsTarget } from '../kms-target';
import type { ConnectionTestReport, ConnectionTestStep, ProviderDataKey } from '../kms-provider';
import { awsSettings } from './aws-settings';
import { AwsProvider } from './aws.provider';

const CONTEXT = { bucket: 'bucket/key' };
const QUICK: CallPolicyOptions = {
  ...DEFAULT_CALL_POLICY,
  maxRetries: 2,
  backoffBase: 1,
  backoffCap: 2,
  breakerThreshold: 100,
};

Logger.overrideLogger(false);

describe('AWS provider under faults', () => {
  let fake: FakeAwsKms;
  const opened: KmsTarget[] = [];

  beforeEach(async () => {
    fake = await startAwsKmsServer();
    fake.createKey('key');
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((target) => target.retire()));
    await fake.close();
  });

  function open(policy: Partial<CallPolicyOptions> = {}, values: FieldValues = {}): KmsTarget {
    const settings = awsSettings({
      region: fake.region,
      endpoint: fake.url,
      access_key: fake.accessKey,
      secret_key: fake.secretKey,
      key_name: 'key',
      ...values,
    });
    const target = new KmsTarget('test', new AwsProvider('aws:test', settings), 1, { ...QUICK, ...policy });
    opened.push(target);
    return target;
  }

  const makeKey = (target: KmsTarget): Promise<ProviderDataKey> =>
    target.call('generate', (provider, signal) => provider.generateDataKey('key', CONTEXT, { signal }));
  const unwrap = (target: KmsTarget, ciphertext: Buffer, version?: string): Promise<Buffer> =>
    target.call('decrypt', (provider, signal) =>
      provider.decryptDataKey('key', ciphertext, CONTEXT, version, { signal }),
    );
  const countOf = (operation: string): number =>
    fake.server.requests.filter(({ headers }) => headers['x-amz-target'] === `TrentService.${operation}`).length;
  const run = (target: KmsTarget): Promise<ConnectionTestReport> =>
    target.provider.testConnection({ signal: AbortSignal.timeout(10_000) });

  it('finds the connection refused: unavailable, and back without a restart', async () => {
    const target = open();
    const port = Number(new URL(fake.url).port);
    await fake.close();
    await expect(makeKey(target)).rejects.toMatchObject({ kind: 'kms-unavailable', retryable: true });
    const { accessKey } = fake;
    fake = await startAwsKmsServer({ port });
    fake.createKey('key');
    expect(fake.accessKey).toBe(accessKey);
    // Another secret key by now: reached, and refused for it.
    await expect(makeKey(target)).rejects.toMatchObject({ kind: 'kms-unauthenticated' });
    await expect(makeKey(open())).resolves.toMatchObject({ plaintext: expect.any(Buffer) });
  });

  it('hangs: each attempt ends at its time limit', async () => {
    const target = open({ attemptTimeout: 500, maxRetries: 1 });
    // Past the call policy: the first call of an SDK takes its time.
    await target.provider.generateDataKey('key', CONTEXT, { signal: AbortSignal.timeout(30_000) });
    const before = countOf('GenerateDataKey');
    fake.server.inject({ type: 'hang' });
    await expect(makeKey(target)).rejects.toMatchObject({ kind: 'kms-timeout' });
    expect(countOf('GenerateDataKey') - before).toBe(2);
  });

  it.each([
    ['ThrottlingException', 400],
    ['TooManyRequestsException', 429],
    ['KMSInternalException', 500],
    ['DependencyTimeoutException', 503],
    ['ServiceUnavailable', 503],
  ])(
    'answers %s (%i) twice and then well: the third attempt counts, and the SDK makes none of its own',
    async (type, status) => {
      const target = open();
      fake.server.inject({ type: 'answer', status, text: JSON.stringify({ __type: type }) }, undefined, 2);
      await expect(makeKey(target)).resolves.toBeDefined();
      expect(countOf('GenerateDataKey')).toBe(3);
    },
  );

  it('resets the connection once: the next attempt counts', async () => {
    const target = open();
    fake.server.inject({ type: 'reset' }, undefined, 1);
    await expect(makeKey(target)).resolves.toBeDefined();
  });

  it('loses the answer to a rotation: it is not rotated twice', async () => {
    const target = open();
    const isRotation = ({ headers }: { headers: Record<string, unknown> }): boolean =>
      headers['x-amz-target'] === 'TrentService.RotateKeyOnDemand';
    fake.server.inject({ type: 'lose-answer' }, isRotation, 1);
    const rotate = target.call('rotate', (provider, signal) => (provider as AwsProvider).rotateKey('key', { signal }));
    await expect(rotate).rejects.toMatchObject({ kind: 'kms-unavailable' });
    expect(countOf('RotateKeyOnDemand')).toBe(1);
  });

  it.each([
    ['a web page', '<html>login</html>'],
    ['a data key of another length', JSON.stringify({ KeyId: 'k', CiphertextBlob: 'AAAA', Plaintext: 'AAAA' })],
    ['no ciphertext', JSON.stringify({ KeyId: 'k', Plaintext: Buffer.alloc(32).toString('base64') })],
  ])('answers with %s: fails closed', async (_what, text) => {
    const target = open();
    fake.server.inject({ type: 'answer', status: 200, text });
    await expect(makeKey(target)).rejects.toMatchObject({ kind: 'kms-protocol' });
  });

  it('refuses credentials that were revoked, and serves again when they are back', async () => {
    const target = open();
    const { ciphertext, plaintext } = await makeKey(target);
    fake.revokeCredentials();
    await expect(unwrap(target, ciphertext)).rejects.toMatchObject({ kind: 'kms-unauthenticated', retryable: false });
    expect(target.status(true)).toMatchObject({ health: 'offline' });
    fake.revokeCredentials(false);
    expect(await unwrap(target, ciphertext)).toEqual(plaintext);
    expect(target.status(true)).toMatchObject({ health: 'online' });
  });

  it('names the policy to attach when an action is denied', async () => {
    fake.deny('kms:GenerateDataKey');
    await expect(makeKey(open())).rejects.toMatchObject({
      kind: 'kms-access-denied',
      remedy: expect.stringContaining('"kms:GenerateDataKey"'),
    });
  });

  it('unwraps with the key that wrapped after its alias was pointed to another', async () => {
    const target = open();
    const { ciphertext, keyVersion, plaintext } = await makeKey(target);
    fake.pointAlias('key', fake.createKey('other'));
    await expect(unwrap(target, ciphertext)).rejects.toMatchObject({ kind: 'kms-invalid-ciphertext' });
    expect(await unwrap(target, ciphertext, keyVersion)).toEqual(plaintext);
    expect((await makeKey(target)).keyVersion).not.toBe(keyVersion);
  });

  it('turns on automatic rotation for new keys where that is asked for', async () => {
    const target = open({}, { rotation_days: 90 });
    await target.call('create', (provider, signal) => (provider as AwsProvider).createKey('fresh', { signal }));
    expect(fake.rotationDays('fresh')).toBe(90);
  });

  it('tells nothing secret in its errors', async () => {
    const error = await makeKey(open({}, { secret_key: 'wrong-secret-key' })).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ kind: 'kms-unauthenticated' });
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('wrong-secret-key');
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
      ['authentication', (): FieldValues => ({ secret_key: 'wrong' })],
      ['key', (): FieldValues => ({ key_name: 'nobody-made-it' })],
    ])('stops at %s', async (name, values) => {
      const report = await run(open({}, values()));
      expect(report.ok).toBe(false);
      expect(report.steps.find(({ outcome }) => outcome === 'failed')).toMatchObject({
        name,
        remedy: expect.any(String),
      });
    });

    describe('credentials', () => {
      const HOUR = 3_600_000;
      const kept = { ...process.env };

      afterEach(() => {
        process.env = { ...kept };
      });

      const sessionFields = (expiresAt: Date): FieldValues => {
        const { accessKey, secretKey, token } = fake.startSession(expiresAt);
        return { access_key: accessKey, secret_key: secretKey, session_token: token };
      };
      const life = async (values: FieldValues = {}): Promise<object | undefined> =>
        (await run(open({}, values))).steps.find(({ name }) => name === 'authentication');

      it('that last are told so', async () => {
        expect(await life()).toMatchObject({ outcome: 'passed', detail: expect.stringContaining('do not expire') });
      });

      it('of a session are warned of, because nobody renews them', async () => {
        expect(await life(sessionFields(new Date(Date.now() + HOUR)))).toMatchObject({
          outcome: 'warning',
          detail: expect.stringContaining('cannot be renewed'),
          remedy: expect.stringContaining('default credential chain'),
        });
      });

      it('of a session are no good once it has ended, nor with another token', async () => {
        const refused = { outcome: 'failed', remedy: expect.stringContaining('session_token') };
        expect(await life(sessionFields(new Date(Date.now() - 1_000)))).toMatchObject(refused);
        const fields = sessionFields(new Date(Date.now() + HOUR));
        expect(await life({ ...fields, session_token: 'of-another-session' })).toMatchObject(refused);
        expect(await life({ ...fields, session_token: '' })).toMatchObject(refused);
      });

      it('of the default chain are told with the time that is left', async () => {
        const expiresAt = new Date(Date.now() + HOUR);
        const { accessKey, secretKey, token } = fake.startSession(expiresAt);
        Object.assign(process.env, {
          AWS_ACCESS_KEY_ID: accessKey,
          AWS_SECRET_ACCESS_KEY: secretKey,
          AWS_SESSION_TOKEN: token,
          AWS_CREDENTIAL_EXPIRATION: expiresAt.toISOString(),
        });
        expect(await life({ access_key: '', secret_key: '' })).toMatchObject({
          outcome: 'passed',
          detail: expect.stringMatching(/good for 3[0-9]{3} s, and renewed before$/),
        });
      });
    });

    const permissions = async (...denied: string[]): Promise<ConnectionTestStep | undefined> => {
      denied.forEach((action) => fake.deny(action));
      return (await run(open())).steps.find(({ name }) => name === 'permissions');
    };

    it.each([
      ['kms:GenerateDataKey', 'make data keys'],
      ['kms:Decrypt', 'unwrap data keys'],
    ])('stops at %s when that is missing, and names it with a policy', async (action, purpose) => {
      expect(await permissions(action)).toMatchObject({
        outcome: 'failed',
        detail: `The identity lacks ${action} (to ${purpose})`,
        remedy: expect.stringMatching(new RegExp(`"${action}"[^]*arn:aws:kms:eu-central-1`)),
      });
    });

    it('stops at the description of the key when that is not permitted', async () => {
      fake.deny('kms:DescribeKey');
      expect((await run(open())).steps.find(({ outcome }) => outcome === 'failed')).toMatchObject({
        name: 'key',
        detail: expect.stringContaining('kms:DescribeKey'),
      });
    });

    it.each([
      ['kms:ReEncryptFrom', 'rewrap data keys inside AWS'],
      ['kms:ReEncryptTo', 'rewrap data keys inside AWS'],
      ['kms:GetKeyRotationStatus', "tell AWS's own rotation"],
      ['kms:ListKeys', 'list keys'],
      ['kms:ListAliases', 'list keys'],
    ])('warns of %s when that is missing, and of what needs it', async (action, purpose) => {
      const found = await permissions(action);
      expect(found).toMatchObject({ outcome: 'warning', remedy: expect.stringContaining(`"${action}"`) });
      expect(found?.detail).toMatch(
        `The identity lacks ${action} (to ${purpose}); objects can be encrypted and read; not to be tried`,
      );
    });

    it('names all that is missing at once', async () => {
      const found = await permissions('kms:ReEncryptFrom', 'kms:ListKeys');
      expect(found?.detail).toMatch(/kms:ReEncryptFrom .*, kms:ListKeys /);
    });

    it('changes nothing to find out, and names what it could not try', async () => {
      expect((await permissions())?.detail).toBe(
        'The identity may do all that was asked; not to be tried without effect: kms:RotateKeyOnDemand, ' +
          'kms:EnableKeyRotation, kms:EnableKey, kms:DisableKey, kms:ScheduleKeyDeletion, kms:CancelKeyDeletion, ' +
          'kms:CreateKey, kms:CreateAlias',
      );
      const asked = new Set(fake.server.requests.map(({ headers }) => String(headers['x-amz-target']).split('.')[1]));
      expect([...asked].sort()).toEqual([
        'Decrypt',
        'DescribeKey',
        'GenerateDataKey',
        'GetKeyRotationStatus',
        'ListAliases',
        'ListKeys',
        'ReEncrypt',
      ]);
    });

    it('warns where the clocks differ', async () => {
      fake.server.setClockError(120_000);
      const report = await run(open());
      expect(report.ok).toBe(true);
      expect(report.steps.at(-1)).toMatchObject({ name: 'clock', outcome: 'warning' });
    });
  });
});
