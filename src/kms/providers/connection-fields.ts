import type { FieldDefinition } from '../../config/subsystem';

/** How TLS connections are made. */
export const TLS_FIELDS: readonly FieldDefinition[] = [
  {
    name: 'ca_file',
    type: 'path',
    aliases: ['capath'],
    description:
      'PEM file, or directory of PEM files, with the certificate authorities to trust instead of the system ones.',
  },
  { name: 'ca_pem', type: 'string', description: 'The same as PEM text.' },
  { name: 'client_cert_file', type: 'path', description: 'PEM file with the client certificate.' },
  { name: 'client_key_file', type: 'path', description: 'PEM file with the key of the client certificate.' },
  {
    name: 'tls_skip_verify',
    type: 'boolean',
    default: false,
    description: 'Accept any server certificate. Whoever sits between can then read every data key.',
  },
  {
    name: 'tls_server_name',
    type: 'string',
    description: 'Name expected in the server certificate, when it is not the host name.',
  },
];

/** Time limits and retries. */
export const CALL_FIELDS: readonly FieldDefinition[] = [
  { name: 'timeout', type: 'duration', default: '10s', description: 'Time for one attempt at a call.' },
  {
    name: 'max_retries',
    type: 'integer',
    default: 3,
    description: 'Further attempts at a call that failed for a passing reason.',
  },
];

export const COMMENT_FIELD: FieldDefinition = { name: 'comment', type: 'string', description: 'Free text.' };
