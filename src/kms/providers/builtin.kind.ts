import { DEFAULT_CALL_POLICY } from '../kms-call-policy';
import type { Keyring } from '../keyring';
import type { ProviderKind } from '../provider-kind';
import { validateSettings } from '../settings-validation';
import { BUILTIN_FIELDS, BuiltinSettingsDto, builtinSettings } from './builtin-settings';
import { BuiltinProvider } from './builtin.provider';

/** `kms_builtin`: the embedded keyring. */
export function builtinKind(keyring: Keyring): ProviderKind {
  return {
    subsystem: 'kms_builtin',
    type: 'builtin',
    description: 'The embedded keyring',
    multipleTargets: false,
    fields: BUILTIN_FIELDS,
    validate: (values) => validateSettings(BuiltinSettingsDto, values),
    create: (_kms, values) => new BuiltinProvider(keyring, builtinSettings(values)),
    policy: () => DEFAULT_CALL_POLICY,
  };
}
