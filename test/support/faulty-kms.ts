import { randomBytes } from 'node:crypto';
import { kesIdentity } from '../../src/kms/providers/kes-api-key';
import { startAwsKmsServer, type FakeAwsKms } from '../fakes/aws-kms-server';
import { startKesServer, type FakeKes } from '../fakes/kes-server';
import { startVaultServer, type FakeVault } from '../fakes/vault-server';
import { Gateway } from './gateway';
import { testCertificate } from './test-certificate';

const WRAPS = /^transit\/(datakey\/\w+|encrypt)\//;
const VAULT_USES = /^transit\/(datakey|encrypt|decrypt)\//;
const KES_USES = /^\/v1\/key\/(generate|encrypt|decrypt)\//;
const AWS_WRAP = 'TrentService.GenerateDataKey';
const AWS_USES: readonly unknown[] = [AWS_WRAP, 'TrentService.Decrypt'];

/** What goes wrong whenever a data key is wrapped or unwrapped. */
export type KeyUseFault = 'hang' | 'drip' | 429 | 500 | 503;

/** A scripted KMS with the key `objects`, behind a gateway, as faults tests see any of them. */
export interface FaultyKms {
  /** `vault`, `aws`, `kes`. */
  readonly type: string;
  readonly gateway: Gateway;
  /** The configuration document that leads to it. */
  document(): Readonly<Record<string, unknown>>;
  inject(fault: KeyUseFault): void;
  clearFaults(): void;
  /** How often data keys were asked for, and asked to be unwrapped, since the start. */
  uses(): { readonly wraps: number; readonly unwraps: number };
  close(): Promise<void>;
}

/** Starts a scripted Vault. */
export async function faultyVault(): Promise<FaultyKms & { readonly fake: FakeVault }> {
  const fake = await startVaultServer();
  fake.createKey('objects');
  const gateway = await Gateway.open(fake.url);
  const count = (pattern: RegExp): number => fake.requests.filter(({ path }) => pattern.test(path)).length;
  return {
    type: 'vault',
    fake,
    gateway,
    document: () => ({ endpoint: gateway.url, token: fake.createToken({ policies: ['root'] }) }),
    inject: (fault) =>
      fake.inject({
        action: typeof fault === 'number' ? { type: 'status', status: fault } : { type: fault },
        path: VAULT_USES,
      }),
    clearFaults: () => fake.clearFaults(),
    uses: () => ({ wraps: count(WRAPS), unwraps: count(/^transit\/decrypt\//) }),
    close: () => closeAll(gateway, fake),
  };
}

/** Starts a scripted AWS KMS. */
export async function faultyAws(): Promise<FaultyKms & { readonly fake: FakeAwsKms }> {
  const fake = await startAwsKmsServer();
  fake.createKey('objects');
  const gateway = await Gateway.open(fake.url);
  const { accessKey: access_key, secretKey: secret_key, region } = fake;
  const count = (target: string): number =>
    fake.server.requests.filter(({ headers }) => headers['x-amz-target'] === target).length;
  return {
    type: 'aws',
    fake,
    gateway,
    document: () => ({ endpoint: gateway.url, access_key, secret_key, region }),
    inject: (fault) =>
      fake.server.inject(
        typeof fault === 'number' ? { type: 'answer', status: fault, text: '{}' } : { type: fault },
        ({ headers }) => AWS_USES.includes(headers['x-amz-target']),
      ),
    clearFaults: () => fake.server.clearFaults(),
    uses: () => ({ wraps: count(AWS_WRAP), unwraps: count('TrentService.Decrypt') }),
    close: () => closeAll(gateway, fake),
  };
}

/** Starts a scripted KES, with its mutual TLS. */
export async function faultyKes(): Promise<FaultyKms & { readonly fake: FakeKes }> {
  const certificate = await testCertificate();
  const api_key = `kes:v1:${Buffer.concat([Buffer.of(0), randomBytes(32)]).toString('base64')}`;
  const fake = await startKesServer({ ...certificate, admin: kesIdentity(api_key).identity });
  fake.createKey('objects');
  const gateway = await Gateway.open(fake.url);
  const count = (verb: RegExp): number => fake.requests.filter((request) => verb.test(request)).length;
  return {
    type: 'kes',
    fake,
    gateway,
    document: () => ({ endpoint: gateway.url, api_key, ca_pem: certificate.cert }),
    inject: (fault) =>
      fake.inject(typeof fault === 'number' ? { type: 'status', status: fault } : { type: fault }, KES_USES),
    clearFaults: () => fake.clearFaults(),
    uses: () => ({ wraps: count(/key\/generate\//), unwraps: count(/key\/decrypt\//) }),
    close: () => closeAll(gateway, fake),
  };
}

async function closeAll(gateway: Gateway, fake: { close(): Promise<void> }): Promise<void> {
  await gateway.takeDown();
  await fake.close();
}
