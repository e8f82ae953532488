import { randomBytes } from 'node:crypto';
import { kesIdentity } from '../../src/kms/providers/kes-api-key';
import { startAwsKmsServer, type FakeAwsKms } from '../fakes/aws-kms-server';
import { startKeyVault, type FakeKeyVault } from '../fakes/azure-key-vault-server';
import { startGcpKmsServer, type FakeGcpKms } from '../fakes/gcp-kms-server';
import { startKesServer, type FakeKes } from '../fakes/kes-server';
import type { ScriptedRequest, ScriptedServer } from '../fakes/scripted-server';
import { startVaultServer, type FakeVault } from '../fakes/vault-server';
import { Gateway } from './gateway';
import { testCertificate } from './test-certificate';

const WRAPS = /^transit\/(datakey\/\w+|encrypt)\//;
const VAULT_USES = /^transit\/(datakey|encrypt|decrypt)\//;
const KES_USES = /^\/v1\/key\/(generate|encrypt|decrypt)\//;

/** What goes wrong whenever a data key is wrapped or unwrapped. */
export type KeyUseFault = 'hang' | 'drip' | 429 | 500 | 503;

/** A scripted KMS with the key `objects`, behind a gateway, as tests see any of them. */
export interface FaultyKms {
  /** `vault`, `aws`, `kes`, `azure`, `gcp`. */
  readonly type: string;
  readonly gateway: Gateway;
  /** Address of the service itself, behind the gateway. */
  readonly service: string;
  /** What of the document must never be read out. */
  readonly secrets: readonly string[];
  /** The configuration document that leads to it; through the gateway unless another address is given. */
  document(url?: string): Readonly<Record<string, unknown>>;
  inject(fault: KeyUseFault): void;
  clearFaults(): void;
  /** Refuses the credentials of the document from now on, or takes them again. Absent where they are no more than a token. */
  revokeCredentials?(revoked: boolean): void;
  /** How often data keys were asked for, and asked to be unwrapped, since the start. */
  uses(): { readonly wraps: number; readonly unwraps: number };
  close(): Promise<void>;
}

/** Starts a scripted Vault. */
export async function faultyVault(): Promise<FaultyKms & { readonly fake: FakeVault }> {
  const fake = await startVaultServer();
  fake.createKey('objects');
  const token = fake.createToken({ policies: ['root'] });
  const gateway = await Gateway.open(fake.url);
  const count = (pattern: RegExp): number => fake.requests.filter(({ path }) => pattern.test(path)).length;
  return {
    type: 'vault',
    fake,
    gateway,
    service: fake.url,
    secrets: [token],
    document: (url = gateway.url) => ({ endpoint: url, token }),
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
  const { accessKey: access_key, secretKey: secret_key, region } = fake;
  const operation = ({ headers }: ScriptedRequest): unknown => headers['x-amz-target'];
  return onScriptedServer('aws', fake, {
    document: (url) => ({ endpoint: url, access_key, secret_key, region }),
    secrets: [secret_key],
    wraps: (request) => operation(request) === 'TrentService.GenerateDataKey',
    unwraps: (request) => operation(request) === 'TrentService.Decrypt',
    revokeCredentials: (revoked) => fake.revokeCredentials(revoked),
  });
}

/** Starts a scripted Azure Key Vault with its Entra ID, of which only the vault is behind the gateway. */
export async function faultyAzure(): Promise<FaultyKms & { readonly fake: FakeKeyVault }> {
  const certificate = await testCertificate();
  const fake = await startKeyVault(certificate);
  await fake.createKey('objects');
  const { tenantId: tenant_id, clientId: client_id, clientSecret: client_secret } = fake.entra;
  const signIn = { tenant_id, client_id, client_secret, authority_host: fake.url, verify_challenge: false };
  return onScriptedServer('azure', fake, {
    document: (url) => ({ vault_url: url, ca_pem: certificate.cert, ...signIn }),
    secrets: [client_secret],
    wraps: ({ path }) => path.endsWith('/wrapkey'),
    unwraps: ({ path }) => path.endsWith('/unwrapkey'),
    revokeCredentials: (revoked) => {
      fake.entra.refuse(revoked ? 'AADSTS7000222' : undefined);
      fake.entra.revokeTokens();
    },
  });
}

/** Starts a scripted Google Cloud KMS. */
export async function faultyGcp(): Promise<FaultyKms & { readonly fake: FakeGcpKms }> {
  const fake = await startGcpKmsServer();
  fake.createKey('objects');
  const { project, location, keyRing: key_ring } = fake;
  const credentials_json = fake.tokens.serviceAccount;
  const { private_key } = JSON.parse(credentials_json) as { private_key: string };
  return onScriptedServer('gcp', fake, {
    document: (url) => ({ endpoint: url, project, location, key_ring, credentials_json }),
    secrets: [private_key.split('\n')[1] ?? private_key],
    wraps: ({ path }) => path.endsWith(':encrypt'),
    unwraps: ({ path }) => path.endsWith(':decrypt'),
    revokeCredentials: (revoked) => fake.tokens.revoke(revoked),
  });
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
    service: fake.url,
    secrets: [api_key],
    document: (url = gateway.url) => ({ endpoint: url, api_key, ca_pem: certificate.cert }),
    inject: (fault) =>
      fake.inject(typeof fault === 'number' ? { type: 'status', status: fault } : { type: fault }, KES_USES),
    clearFaults: () => fake.clearFaults(),
    uses: () => ({ wraps: count(/key\/generate\//), unwraps: count(/key\/decrypt\//) }),
    close: () => closeAll(gateway, fake),
  };
}

interface ScriptedUse {
  document(url: string): Readonly<Record<string, unknown>>;
  readonly secrets: readonly string[];
  wraps(request: ScriptedRequest): boolean;
  unwraps(request: ScriptedRequest): boolean;
  revokeCredentials(revoked: boolean): void;
}

async function onScriptedServer<F extends { readonly server: ScriptedServer; close(): Promise<void> }>(
  type: string,
  fake: F,
  { document, secrets, wraps, unwraps, revokeCredentials }: ScriptedUse,
): Promise<FaultyKms & { readonly fake: F }> {
  const gateway = await Gateway.open(fake.server.url);
  const { server } = fake;
  return {
    type,
    fake,
    gateway,
    service: server.url,
    secrets,
    document: (url = gateway.url) => document(url),
    inject: (fault) =>
      server.inject(
        typeof fault === 'number' ? { type: 'answer', status: fault, text: '{}' } : { type: fault },
        (request) => wraps(request) || unwraps(request),
      ),
    clearFaults: () => server.clearFaults(),
    revokeCredentials,
    uses: () => ({
      wraps: server.requests.filter(wraps).length,
      unwraps: server.requests.filter(unwraps).length,
    }),
    close: () => closeAll(gateway, fake),
  };
}

async function closeAll(gateway: Gateway, fake: { close(): Promise<void> }): Promise<void> {
  await gateway.takeDown();
  await fake.close();
}
