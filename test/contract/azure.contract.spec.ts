import type { FieldValues } from '../../src/config/subsystem';
import { azureSettings } from '../../src/kms/providers/azure-settings';
import { AzureProvider } from '../../src/kms/providers/azure.provider';
import { startKeyVault } from '../fakes/azure-key-vault-server';
import { testCertificate } from '../support/test-certificate';
import { describeKmsProvider } from './kms-provider.contract';
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
 */
const { AZURE_KEYVAULT_URL: vaultUrl } = process.env;

if (vaultUrl !== undefined) {
  const values = { vault_url: vaultUrl, key_name: 'strongroom-contract', create_key: true };
  describeKmsProvider('Azure Key Vault at AZURE_KEYVAULT_URL', CAPABILITIES, async () => {
    const provider = new AzureProvider('azure:live', azureSettings(values));
    await provider.createKey('strongroom-contract', { signal: AbortSignal.timeout(30_000) }).catch(() => undefined);
    return { provider, dispose: () => Promise.resolve() };
  });
} else {
  describe('KMS provider contract: Azure Key Vault at AZURE_KEYVAULT_URL', () => {
    it.skip('NOT RUN: set AZURE_KEYVAULT_URL and credentials to run the same suite there', () => undefined);
  });
}
