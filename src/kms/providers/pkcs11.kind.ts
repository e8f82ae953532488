import { callPolicy, type ProviderKind } from '../provider-kind';
import { PKCS11_FIELDS, pkcs11Settings, validatePkcs11Settings } from './pkcs11-settings';
import { Pkcs11Provider } from './pkcs11.provider';

/** `kms_pkcs11`: keys in an HSM behind its PKCS#11 library. */
export const PKCS11_KIND: ProviderKind = {
  subsystem: 'kms_pkcs11',
  type: 'pkcs11',
  description: 'HSM with a PKCS#11 library',
  multipleTargets: true,
  fields: PKCS11_FIELDS,
  validate: validatePkcs11Settings,
  create: (kms, values) => new Pkcs11Provider(kms, pkcs11Settings(values)),
  policy: (values) => callPolicy(pkcs11Settings(values)),
};
