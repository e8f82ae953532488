import { callPolicy, type ProviderKind } from '../provider-kind';
import { KES_FIELDS, kesSettings, validateKesSettings } from './kes-settings';
import { KesProvider } from './kes.provider';

/** `kms_kes`: MinIO KES. */
export const KES_KIND: ProviderKind = {
  subsystem: 'kms_kes',
  type: 'kes',
  description: 'MinIO KES, or anything that speaks its HTTP API',
  multipleTargets: true,
  fields: KES_FIELDS,
  validate: validateKesSettings,
  create: (kms, values) => new KesProvider(kms, kesSettings(values)),
  policy: (values) => callPolicy(kesSettings(values)),
};
