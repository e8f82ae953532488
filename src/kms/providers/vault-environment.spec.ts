import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { startVaultServer, type FakeVault } from '../../../test/fakes/vault-server';
import { testCertificate } from '../../../test/support/test-certificate';

/** Makes and opens a data key in a process of its own, once for each settings given, and tells what came of each. */
const SCRIPT = `
  const { transformSync } = require('@swc/core');
  const { readFileSync } = require('node:fs');
  require.extensions['.ts'] = (module, file) => module._compile(transformSync(readFileSync(file, 'utf8'), {
    filename: file, sourceMaps: false, module: { type: 'commonjs' },
    jsc: { parser: { syntax: 'typescript', decorators: true }, transform: { legacyDecorator: true, decoratorMetadata: true }, target: 'es2022' },
  }).code, file);
  const { VaultProvider } = require('./src/kms/providers/vault.provider.ts');
  const { vaultSettings } = require('./src/kms/providers/vault-settings.ts');
  const signal = AbortSignal.timeout(10000);
  async function roundTrip(fields) {
    const provider = new VaultProvider('vault:test', vaultSettings(fields));
    try {
      const { plaintext, ciphertext } = await provider.generateDataKey('plain', { a: 'b' }, { signal });
      await provider.decryptDataKey('plain', ciphertext, { a: 'b' }, undefined, { signal });
      return { plaintext: plaintext.toString('base64') };
    } catch (error) {
      return { kind: error.kind, remedy: error.remedy };
    } finally {
      await provider.destroy();
    }
  }
  Promise.all(JSON.parse(process.argv[1]).map(roundTrip)).then((outcomes) => process.send(outcomes)).finally(() => process.disconnect());
`;

const PLAINTEXT = { plaintext: expect.stringMatching(/^[A-Za-z0-9+/]{43}=$/) };

interface Outcome {
  readonly plaintext?: string;
  readonly kind?: string;
}

describe('the Vault provider in an environment that means something to other clients', () => {
  let fake: FakeVault;

  afterEach(() => fake.close());

  const fieldsOf = (more: object = {}): object => ({
    endpoint: fake.url,
    key_name: 'plain',
    token: fake.rootToken,
    ...more,
  });

  async function inEnvironment(
    environment: Readonly<Record<string, string>>,
    settings: readonly object[],
  ): Promise<{ outcomes: readonly Outcome[] | undefined; output: string }> {
    const child = spawn(process.execPath, ['-e', SCRIPT, JSON.stringify(settings)], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    let output = '';
    child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
    child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
    let outcomes: readonly Outcome[] | undefined;
    child.on('message', (received) => (outcomes = received as readonly Outcome[]));
    await new Promise((resolve) => child.once('close', resolve));
    return { outcomes, output };
  }

  it('prints no plaintext with DEBUG, and heeds no VAULT_* and no proxy variable', async () => {
    fake = await startVaultServer();
    fake.createKey('plain', { derived: true });
    const deadEnd = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => deadEnd.once('listening', resolve));
    const { port } = deadEnd.address() as { port: number };
    const elsewhere = `http://127.0.0.1:${port}`;
    deadEnd.close();
    const { outcomes, output } = await inEnvironment(
      {
        DEBUG: '*',
        VAULT_ADDR: elsewhere,
        VAULT_TOKEN: 'environment-token',
        VAULT_NAMESPACE: 'environment-namespace',
        VAULT_PREFIX: '/environment-prefix',
        HTTP_PROXY: elsewhere,
        http_proxy: elsewhere,
        HTTPS_PROXY: elsewhere,
      },
      [fieldsOf()],
    );
    expect(outcomes).toEqual([PLAINTEXT]);
    expect(output).not.toContain(outcomes?.[0]?.plaintext ?? 'missing');
    expect(output).not.toContain(fake.rootToken);
    expect(fake.requests.every(({ token, namespace }) => token === fake.rootToken && namespace === undefined)).toBe(
      true,
    );
  });

  it('checks certificates whatever the environment says, unless its own setting turns that off', async () => {
    const { cert, key } = await testCertificate();
    fake = await startVaultServer({ tls: { cert, key } });
    fake.createKey('plain', { derived: true });
    const environment = { VAULT_SKIP_VERIFY: '1', NODE_TLS_REJECT_UNAUTHORIZED: '0' };
    const { outcomes: checked } = await inEnvironment(environment, [fieldsOf(), fieldsOf({ tls_skip_verify: false })]);
    const refused = { kind: 'kms-unavailable', remedy: expect.stringContaining('ca_file') };
    expect(checked).toEqual([refused, refused]);
    expect(fake.requests).toEqual([]);
    const { outcomes } = await inEnvironment(environment, [
      fieldsOf({ tls_skip_verify: true }),
      fieldsOf({ ca_pem: cert }),
    ]);
    expect(outcomes).toEqual([PLAINTEXT, PLAINTEXT]);
  });
});
