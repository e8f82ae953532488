import { Secret } from '../../common/secret';
import type { FieldProblem, FieldValues } from '../../config/subsystem';
import { withoutBlanks } from '../settings-validation';
import {
  connectionProblems,
  connectionSettings,
  textOfField,
  type ConnectionSettings,
  type GivenFields,
} from './connection-settings';
import { splitEndpoints } from './endpoint-list';
import { SERVICE_ACCOUNT_TOKEN, type VaultAuthType } from './vault-connection-fields';

/** How to come by a token. */
export type VaultCredentials =
  | { readonly type: 'token'; readonly token?: Secret; readonly tokenFile?: string }
  | {
      readonly type: 'approle';
      readonly roleId: string;
      readonly secretId?: Secret;
      readonly secretIdFile?: string;
      readonly mount: string;
    }
  | {
      readonly type: 'kubernetes' | 'jwt';
      readonly role: string;
      readonly jwt?: Secret;
      readonly jwtFile?: string;
      readonly mount: string;
    }
  | { readonly type: 'cert'; readonly role?: string; readonly mount: string };

/** How to reach one Vault and log in to it. */
export interface VaultConnectionSettings extends ConnectionSettings {
  /** The nodes of one cluster, at least one. */
  readonly endpoints: readonly string[];
  readonly credentials: VaultCredentials;
  readonly namespace?: string;
}

/** Makes connection settings of validated fields. */
export function vaultConnectionSettings(values: FieldValues): VaultConnectionSettings {
  const fields = withoutBlanks(values);
  return {
    ...connectionSettings(fields),
    endpoints: splitEndpoints(String(fields['endpoint'])),
    credentials: credentials(fields),
    namespace: textOfField(fields, 'namespace')?.replace(/\/$/, ''),
  };
}

/** The field that tells of an auth method when auth_type does not. */
const TELLING: readonly (readonly [string, VaultAuthType])[] = [
  ['auth_approle_id', 'approle'],
  ['auth_kubernetes_role', 'kubernetes'],
  ['auth_jwt_role', 'jwt'],
];

function authTypes(fields: GivenFields): VaultAuthType[] {
  const said = fields['auth_type'];
  if (said !== undefined) {
    return [said as VaultAuthType];
  }
  const told = TELLING.filter(([field]) => field in fields).map(([, type]) => type);
  return told.length > 0 ? told : ['token'];
}

function credentials(fields: GivenFields): VaultCredentials {
  const text = (name: string): string | undefined => textOfField(fields, name);
  const secret = (name: string): Secret | undefined => (name in fields ? new Secret(String(fields[name])) : undefined);
  const type = authTypes(fields)[0] ?? 'token';
  const mount = text(`auth_${type}_mount`) ?? type;
  switch (type) {
    case 'token':
      return { type, token: secret('token'), tokenFile: text('token_file') };
    case 'approle':
      return {
        type,
        roleId: text('auth_approle_id') ?? '',
        secretId: secret('auth_approle_secret'),
        secretIdFile: text('auth_approle_secret_file'),
        mount,
      };
    case 'kubernetes':
      return {
        type,
        role: text('auth_kubernetes_role') ?? '',
        jwtFile: text('auth_kubernetes_jwt_file') ?? SERVICE_ACCOUNT_TOKEN,
        mount,
      };
    case 'jwt':
      return {
        type,
        role: text('auth_jwt_role') ?? '',
        jwt: secret('auth_jwt_token'),
        jwtFile: text('auth_jwt_file'),
        mount,
      };
    case 'cert':
      return { type, role: text('auth_cert_role'), mount };
  }
}

/** Checks the fields of a connection against each other. */
export function vaultConnectionProblems(values: FieldValues): FieldProblem[] {
  const fields = withoutBlanks(values);
  const problems = [...credentialProblems(fields), ...connectionProblems(fields)];
  if (/^(sys|auth|identity|cubbyhole)(\/|$)/.test(String(fields['mount_path'] ?? ''))) {
    problems.push({ field: 'mount_path', message: 'no secrets engine can be mounted there' });
  }
  return problems;
}

function credentialProblems(fields: GivenFields): FieldProblem[] {
  const types = authTypes(fields);
  if (types.length > 1) {
    const message = `the fields speak of ${types.join(' and ')}; say which is meant`;
    return [{ field: 'auth_type', message }];
  }
  const [type = 'token'] = types;
  switch (type) {
    case 'token':
      return exactlyOne(fields, 'token', 'token_file', 'give token, token_file, or the fields of another auth method');
    case 'approle':
      return [
        ...required(fields, type, 'auth_approle_id'),
        ...exactlyOne(fields, 'auth_approle_secret', 'auth_approle_secret_file'),
      ];
    case 'kubernetes':
      return required(fields, type, 'auth_kubernetes_role');
    case 'jwt':
      return [...required(fields, type, 'auth_jwt_role'), ...exactlyOne(fields, 'auth_jwt_token', 'auth_jwt_file')];
    case 'cert':
      return [
        ...required(fields, type, 'client_cert_file'),
        ...(String(fields['endpoint'] ?? '').includes('http://')
          ? [{ field: 'endpoint', message: 'auth_type cert needs https' }]
          : []),
      ];
  }
}

function required(fields: GivenFields, type: VaultAuthType, field: string): FieldProblem[] {
  return field in fields ? [] : [{ field, message: `auth_type ${type} needs ${field}` }];
}

function exactlyOne(
  fields: GivenFields,
  value: string,
  file: string,
  lacking = `give ${value} or ${file}`,
): FieldProblem[] {
  if (!(value in fields) && !(file in fields)) {
    return [{ field: value, message: lacking }];
  }
  return value in fields && file in fields
    ? [{ field: file, message: `give either ${value} or ${file}, not both` }]
    : [];
}
