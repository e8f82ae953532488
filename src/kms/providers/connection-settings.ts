import type { FieldProblem } from '../../config/subsystem';
import { parseDuration } from '../../settings/units';
import type { TlsSettings } from './tls-material';

const DEFAULT_TIMEOUT = 10_000;
const DEFAULT_RETRIES = 3;

/** Values of a document without those that are not set. */
export type GivenFields = Readonly<Record<string, string | number | boolean>>;

/** How connections to a KMS are made. Times are milliseconds. */
export interface ConnectionSettings {
  readonly tls: TlsSettings;
  readonly timeout: number;
  readonly maxRetries: number;
}

/** The text of a field, when it is set. */
export function textOfField(fields: GivenFields, name: string): string | undefined {
  return name in fields ? String(fields[name]) : undefined;
}

/** Makes settings of validated TLS_FIELDS and CALL_FIELDS. */
export function connectionSettings(fields: GivenFields): ConnectionSettings {
  return {
    tls: {
      caFile: textOfField(fields, 'ca_file'),
      caPem: textOfField(fields, 'ca_pem'),
      clientCertFile: textOfField(fields, 'client_cert_file'),
      clientKeyFile: textOfField(fields, 'client_key_file'),
      skipVerify: fields['tls_skip_verify'] === true,
      serverName: textOfField(fields, 'tls_server_name'),
    },
    timeout: parseDuration(textOfField(fields, 'timeout') ?? '') ?? DEFAULT_TIMEOUT,
    maxRetries: typeof fields['max_retries'] === 'number' ? fields['max_retries'] : DEFAULT_RETRIES,
  };
}

/** Checks the fields of TLS_FIELDS against each other. */
export function connectionProblems(fields: GivenFields): FieldProblem[] {
  const problems: FieldProblem[] = [];
  if ('ca_file' in fields && 'ca_pem' in fields) {
    problems.push({ field: 'ca_pem', message: 'give either ca_file or ca_pem, not both' });
  }
  if ('client_cert_file' in fields !== 'client_key_file' in fields) {
    problems.push({ field: 'client_cert_file', message: 'client_cert_file and client_key_file go together' });
  }
  return problems;
}
