import { callPolicy, type ProviderKind } from '../provider-kind';
import { AZURE_FIELDS, azureSettings, validateAzureSettings } from './azure-settings';
import { AzureProvider } from './azure.provider';

/** `kms_azure`: Azure Key Vault and Azure Managed HSM. */
export const AZURE_KIND: ProviderKind = {
  subsystem: 'kms_azure',
  type: 'azure',
  description: 'Azure Key Vault, Azure Managed HSM',
  multipleTargets: true,
  fields: AZURE_FIELDS,
  validate: validateAzureSettings,
  create: (kms, values) => new AzureProvider(kms, azureSettings(values)),
  policy: (values) => callPolicy(azureSettings(values)),
};
