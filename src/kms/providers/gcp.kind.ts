import { callPolicy, type ProviderKind } from '../provider-kind';
import { GCP_FIELDS, gcpSettings, validateGcpSettings } from './gcp-settings';
import { GcpProvider } from './gcp.provider';

/** `kms_gcp`: Google Cloud Key Management Service. */
export const GCP_KIND: ProviderKind = {
  subsystem: 'kms_gcp',
  type: 'gcp',
  description: 'Google Cloud Key Management Service',
  multipleTargets: true,
  fields: GCP_FIELDS,
  validate: validateGcpSettings,
  create: (kms, values) => new GcpProvider(kms, gcpSettings(values)),
  policy: (values) => callPolicy(gcpSettings(values)),
};
