import { readFileSync } from 'node:fs';
import type { FieldValues } from '../../src/config/subsystem';
import { azureSettings } from '../../src/kms/providers/azure-settings';
import { AzureProvider } from '../../src/kms/providers/azure.provider';
import { startKeyVault } from '../fakes/azure-key-vault-server';
import { testCertificate } from '../support/test-certificate';
import { describeKmsProvider, type ContractSubject } from './kms-provider.contract';
import { pinnedCapabilities } from './provider-pins';

const CAPABILITIES = pinnedCapabilities('azure');

describe.each([
  ['RSA', 'RSA-OAEP-256'],
  ['oct-HSM', 'A256KW'],
])('with %s keys', (kty, wrapAlgorithm) => {
  describeKmsProvider('Azure Key Vault, scripted', CAPABILITIES, async () => {
    const certificate = await testCertificate();
    const fake = await startKeyVault(certificate);
    await fake.createKey('default-key', kty);
    const values: FieldValues = {
      vault_url: fake.url,
      key_name: 'default-key',
      tenant_id: fake.entra.tenantId,
      client_id: fake.entra.clientId,
      client_secret: fake.entra.clientSecret,
      authority_host: fake.url,
      verify_challenge: false,
      ca_pem: certificate.cert,
      wrap_algorithm: wrapAlgorithm,
    };
    return { provider: new AzureProvider('azure:contract', azureSettings(values)), dispose: () => fake.close() };
  });
});

/*
 * The same suite on a vault of Azure's: AZURE_KEYVAULT_URL, and credentials as the SDK's default chain finds them
 * (AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, …). It leaves deleted keys behind.
 *
 * On an emulator, which takes any token: AZURE_KEYVAULT_EMULATOR with its name, and AZURE_KEYVAULT_CA_FILE for its certificate.
 * The tokens are then those of the scripted Entra ID.
 */
const { AZURE_KEYVAULT_URL: vaultUrl, AZURE_KEYVAULT_CA_FILE: caFile, AZURE_KEYVAULT_EMULATOR: emulator } = process.env;

async function liveSubject(values: FieldValues, dispose: () => Promise<void>): Promise<ContractSubject> {
  const common = { vault_url: vaultUrl, key_name: 'strongroom-contract', create_key: true };
  const provider = new AzureProvider('azure:live', azureSettings({ ...common, ...values }));
  await provider.createKey('strongroom-contract', { signal: AbortSignal.timeout(30_000) }).catch(() => undefined);
  return { provider, dispose };
}

if (vaultUrl === undefined) {
  describe('KMS provider contract: Azure Key Vault at AZURE_KEYVAULT_URL', () => {
    it.skip('NOT RUN: set AZURE_KEYVAULT_URL and credentials to run the same suite there', () => undefined);
  });
} else if (emulator === undefined) {
  describeKmsProvider('Azure Key Vault at AZURE_KEYVAULT_URL', CAPABILITIES, () =>
    liveSubject({ ca_file: caFile }, () => Promise.resolve()),
  );
} else {
  describeKmsProvider(`Azure Key Vault at AZURE_KEYVAULT_URL, played by ${emulator}`, CAPABILITIES, async () => {
    const certificate = await testCertificate();
    const signIn = await startKeyVault(certificate);
    const emulated = caFile === undefined ? '' : readFileSync(caFile, 'utf8');
    const { tenantId: tenant_id, clientId: client_id, clientSecret: client_secret } = signIn.entra;
    const credentials = { tenant_id, client_id, client_secret, authority_host: signIn.url, verify_challenge: false };
    return liveSubject({ ...credentials, ca_pem: `${certificate.cert}\n${emulated}` }, () => signIn.close());
  });
}
