import { createSign, generateKeyPairSync, randomUUID, type KeyObject } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { generate } from 'selfsigned';
import type { FieldValues } from '../../src/config/subsystem';
import { DEFAULT_CALL_POLICY } from '../../src/kms/kms-call-policy';
import type { KmsError } from '../../src/kms/kms-error';
import { KmsTarget } from '../../src/kms/kms-target';
import { vaultKvSettings } from '../../src/kms/providers/vault-kv-settings';
import { VaultKvProvider } from '../../src/kms/providers/vault-kv.provider';
import { vaultPolicy } from '../../src/kms/providers/vault-policy';
import { vaultSettings } from '../../src/kms/providers/vault-settings';
import { VaultProvider } from '../../src/kms/providers/vault.provider';
import { eventually } from '../support/eventually';
import { startOpenBaoCluster, type OpenBaoCluster } from '../support/openbao-cluster';
import { describeKmsProvider } from './kms-provider.contract';
import { pinnedCapabilities } from './provider-pins';

const CONTEXT = { bucket: 'bucket/key' };
const EVERYTHING = ['transit', 'kv', 'kv1']
  .map((mount) => `path "${mount}/*" { capabilities = ["create", "read", "update", "delete", "list"] }`)
  .join('\n');
const TOKEN = { token_policies: ['objects'], token_ttl: '1h' };
/** Path of the program, to run this against a cluster of it. */
const { BAO: binary } = process.env;

Logger.overrideLogger(false);

/** The whole suite by every way to log in, and what one node or a scripted server cannot show. */
if (binary === undefined) {
  describe('KMS provider contract: OpenBao cluster', () => {
    it.skip('NOT RUN: set BAO to the path of the program bao to run the same suite on three nodes', () => undefined);
  });
} else {
  let bao: OpenBaoCluster;
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

  beforeAll(async () => {
    bao = await startOpenBaoCluster(binary);
    const { ask, certificate } = bao;
    await ask('POST', 'sys/mounts/transit', { type: 'transit' });
    await ask('POST', 'sys/mounts/kv', { type: 'kv', options: { version: '2' } });
    await ask('POST', 'sys/mounts/kv1', { type: 'kv', options: { version: '1' } });
    await ask('POST', 'sys/policies/acl/objects', { policy: EVERYTHING });
    for (const type of ['approle', 'cert', 'jwt']) {
      await ask('POST', `sys/auth/${type}`, { type });
    }
    await ask('POST', 'auth/approle/role/store', TOKEN);
    await ask('POST', 'auth/cert/certs/stores', { ...TOKEN, certificate: certificate.cert });
    const pem = publicKey.export({ type: 'spki', format: 'pem' });
    await ask('POST', 'auth/jwt/config', { jwt_validation_pubkeys: [pem], default_role: 'store' });
    const claims = { role_type: 'jwt', user_claim: 'sub', bound_audiences: ['strongroom'] };
    await ask('POST', 'auth/jwt/role/store', { ...TOKEN, ...claims });
    await ask('POST', 'sys/namespaces/team-a', {});
    await ask('POST', 'sys/mounts/transit', { type: 'transit' }, { 'x-vault-namespace': 'team-a' });
  }, 120_000);

  afterAll(() => bao.close());

  const common = (): FieldValues => ({
    endpoint: bao.endpoint,
    ca_pem: bao.certificate.cert,
    key_name: 'strongroom-contract',
    create_key: true,
  });
  const vault = (values: FieldValues): VaultProvider =>
    new VaultProvider('vault:bao', vaultSettings({ ...common(), ...values }));

  const logins: Readonly<Record<string, () => Promise<FieldValues>>> = {
    AppRole: async () => {
      const [role, secret] = await Promise.all([
        bao.ask('GET', 'auth/approle/role/store/role-id'),
        bao.ask('POST', 'auth/approle/role/store/secret-id'),
      ]);
      const [auth_approle_id, auth_approle_secret] = [dataOf(role)['role_id'], dataOf(secret)['secret_id']];
      return { auth_type: 'approle', auth_approle_id, auth_approle_secret } as FieldValues;
    },
    'TLS certificate': async () => {
      const { cert, key } = bao.certificate;
      const client = await generate([{ name: 'commonName', value: 'store-1' }], { ca: { cert, key } });
      const [client_cert_file, client_key_file] = [
        join(bao.directory, 'client.crt'),
        join(bao.directory, 'client.key'),
      ];
      writeFileSync(client_cert_file, client.cert);
      writeFileSync(client_key_file, client.private);
      return { auth_type: 'cert', auth_cert_role: 'stores', client_cert_file, client_key_file };
    },
    'JWT in a file': () => {
      const auth_jwt_file = join(bao.directory, 'token.jwt');
      writeFileSync(auth_jwt_file, signedToken(privateKey));
      return Promise.resolve({ auth_type: 'jwt', auth_jwt_role: 'store', auth_jwt_file });
    },
    'a token in a namespace': () => Promise.resolve({ token: bao.rootToken, namespace: 'team-a' }),
  };

  for (const [name, login] of Object.entries(logins)) {
    describeKmsProvider(`OpenBao cluster, ${name}`, pinnedCapabilities('vault'), async () => ({
      provider: vault(await login()),
      dispose: () => Promise.resolve(),
    }));
  }

  describe.each([
    ['2', 'kv'],
    ['1', 'kv1'],
  ])('version %s', (_version, mount) => {
    describeKmsProvider('OpenBao cluster, KV engine, AppRole', pinnedCapabilities('vault_kv'), async () => {
      const places = { mount_path: mount, key_prefix: `contract/${randomUUID()}` };
      const values = { ...common(), ...places, ...(await logins['AppRole']?.()) };
      return {
        provider: new VaultKvProvider('vault_kv:bao', vaultKvSettings(values)),
        dispose: () => Promise.resolve(),
      };
    });
  });

  describe('OpenBao cluster', () => {
    const options = (): { signal: AbortSignal } => ({ signal: AbortSignal.timeout(20_000) });

    it('grants by the policy of the connection test all that it asks for, and by that of a refusal to delete the rest', async () => {
      const policy = vaultPolicy({ mountPath: 'transit', keyName: 'exact', createKey: true });
      await bao.ask('POST', 'sys/policies/acl/exact', { policy });
      const { auth } = (await bao.ask('POST', 'auth/token/create', { policies: ['exact'], ttl: '1h' })) as {
        auth: { client_token: string };
      };
      const provider = vault({ token: auth.client_token, key_name: 'exact' });
      const { steps } = await provider.testConnection(options());
      expect(steps.filter(({ outcome }) => outcome !== 'passed')).toEqual([]);
      await provider.createKey('another', options());
      await provider.rotateKey('exact', options());
      const refused: unknown = await provider.deleteKey('another', options()).catch((error: unknown) => error);
      expect(refused).toMatchObject({ kind: 'kms-access-denied' });
      const rules = String((refused as KmsError).remedy).replace(/^.*\n/, '');
      await bao.ask('POST', 'sys/policies/acl/exact', { policy: `${policy}\n${rules}` });
      await provider.deleteKey('another', options());
      await expect(provider.describeKey('another', options())).rejects.toMatchObject({ kind: 'kms-key-not-found' });
      await provider.destroy();
    });

    it('loses its active node: calls go on with the next one, and nothing is lost', async () => {
      const provider = vault((await logins['AppRole']?.()) ?? {});
      const target = new KmsTarget('bao', provider, 1, DEFAULT_CALL_POLICY);
      const make = (): ReturnType<VaultProvider['generateDataKey']> =>
        target.call('generate', (each, signal) => each.generateDataKey('strongroom-contract', CONTEXT, { signal }));
      const before = await make();
      const lost = await bao.killActive();
      const after = await eventuallyMade(make);
      for (const { ciphertext, keyVersion, plaintext } of [before, after]) {
        const opened = target.call('decrypt', (each, signal) =>
          each.decryptDataKey('strongroom-contract', ciphertext, CONTEXT, keyVersion, { signal }),
        );
        expect(await opened).toEqual(plaintext);
      }
      // Written by the active node alone, so another one has been elected.
      await eventuallyMade(() => provider.createKey(`after-${randomUUID()}`, options()));
      const { ok, steps } = await provider.testConnection(options());
      expect(ok).toBe(true);
      expect(steps.find(({ outcome }) => outcome === 'warning')?.name).toBe(`node ${new URL(lost).host}`);
      await target.retire();
    }, 60_000);
  });
}

/** An election takes some seconds, in which nothing is written. */
async function eventuallyMade<T>(make: () => Promise<T>): Promise<T> {
  let made: T | undefined;
  await eventually(async () => {
    made = await make();
  }, 40_000);
  return made as T;
}

function dataOf(answer: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return answer['data'] as Readonly<Record<string, unknown>>;
}

function signedToken(key: KeyObject): string {
  const now = Math.floor(Date.now() / 1_000);
  const parts = [
    { alg: 'RS256', typ: 'JWT' },
    { sub: 'store-1', aud: 'strongroom', iat: now, exp: now + 600 },
  ].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'));
  return `${parts.join('.')}.${createSign('RSA-SHA256').update(parts.join('.')).sign(key, 'base64url')}`;
}
