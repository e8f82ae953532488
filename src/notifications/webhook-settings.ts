import { IsBoolean, IsInt, IsOptional, IsString, Max, MaxLength, Min, ValidateBy } from 'class-validator';
import { Secret } from '../common/secret';
import type { FieldDefinition, FieldProblem, FieldValues } from '../config/subsystem';
import type { TlsSettings } from '../kms/providers/tls-material';
import { validateSettings, withoutBlanks } from '../kms/settings-validation';
import { parseDuration } from '../settings/units';

export const WEBHOOK_SUBSYSTEM = 'notify_webhook';

const LONGEST_TIMEOUT = 60_000;
const LONGEST_RETRY = 30 * 86_400_000;

export const WEBHOOK_FIELDS: readonly FieldDefinition[] = [
  { name: 'enabled', type: 'boolean', default: true, description: 'Whether events are delivered to this target.' },
  {
    name: 'endpoint',
    type: 'url',
    description: 'Address that messages are sent to by POST.',
    example: 'https://events.example.com/s3',
  },
  {
    name: 'auth_token',
    type: 'string',
    secret: true,
    description: 'Sent as `Authorization: Bearer …`; given with a scheme of its own, as it is.',
  },
  {
    name: 'queue_limit',
    type: 'integer',
    default: 100_000,
    description: 'Messages kept while the target cannot be reached; later ones are dropped and counted.',
  },
  {
    name: 'queue_dir',
    type: 'string',
    description: 'Accepted because MinIO has it; messages wait in the database.',
  },
  {
    name: 'client_cert',
    type: 'path',
    aliases: ['client_cert_file'],
    description: 'PEM file with the client certificate.',
  },
  {
    name: 'client_key',
    type: 'path',
    aliases: ['client_key_file'],
    description: 'PEM file with the key of the client certificate.',
  },
  {
    name: 'ca_file',
    type: 'path',
    description: 'PEM file with the certificate authorities to trust instead of the system ones.',
  },
  { name: 'timeout', type: 'duration', default: '10s', description: 'Time for one delivery.' },
  {
    name: 'retry_for',
    type: 'duration',
    default: '1d',
    description: 'How long a message is tried before it is given up.',
  },
  { name: 'comment', type: 'string', description: 'Free text.' },
];

/** Fields of a `notify_webhook` document. */
class WebhookSettingsDto {
  @ValidateBy(
    { name: 'isWebhookAddress', validator: { validate: isWebhookAddress } },
    { message: 'endpoint is required and must be an http or https address without credentials' },
  )
  endpoint!: string;

  @IsOptional()
  @IsString()
  @MaxLength(8192)
  auth_token?: string;

  @IsInt()
  @Min(1)
  @Max(10_000_000)
  queue_limit!: number;

  @ValidateBy(
    { name: 'isTimeout', validator: { validate: (value) => isDuration(value, 100, LONGEST_TIMEOUT) } },
    { message: 'timeout must be a duration from 100ms to 1m' },
  )
  timeout!: string;

  @ValidateBy(
    { name: 'isRetryTime', validator: { validate: (value) => isDuration(value, 1_000, LONGEST_RETRY) } },
    { message: 'retry_for must be a duration from 1s to 30d' },
  )
  retry_for!: string;

  @IsOptional()
  @IsBoolean()
  enabled?: boolean;
}

/** Settings of one target, ready for use. Times are milliseconds. */
export interface WebhookSettings {
  readonly endpoint: string;
  readonly authToken?: Secret;
  readonly queueLimit: number;
  readonly tls: TlsSettings;
  readonly timeout: number;
  readonly retryFor: number;
}

/** Checks a `notify_webhook` document, each field and the fields against each other. */
export async function validateWebhookSettings(values: FieldValues): Promise<FieldProblem[]> {
  const problems = await validateSettings(WebhookSettingsDto, values);
  const fields = withoutBlanks(values);
  if ('client_cert' in fields !== 'client_key' in fields) {
    problems.push({ field: 'client_cert', message: 'client_cert and client_key go together' });
  }
  return problems;
}

/** Makes settings of validated fields. */
export function webhookSettings(values: FieldValues): WebhookSettings {
  const fields = withoutBlanks(values);
  const text = (name: string): string | undefined => (name in fields ? String(fields[name]) : undefined);
  const token = text('auth_token');
  return {
    endpoint: String(fields['endpoint']),
    authToken: token === undefined ? undefined : new Secret(token),
    queueLimit: Number(fields['queue_limit']),
    tls: {
      caFile: text('ca_file'),
      clientCertFile: text('client_cert'),
      clientKeyFile: text('client_key'),
      skipVerify: false,
    },
    timeout: parseDuration(text('timeout') ?? '') as number,
    retryFor: parseDuration(text('retry_for') ?? '') as number,
  };
}

function isWebhookAddress(value: unknown): boolean {
  if (typeof value !== 'string' || !URL.canParse(value)) {
    return false;
  }
  const { protocol, username, password } = new URL(value);
  return (protocol === 'http:' || protocol === 'https:') && username === '' && password === '';
}

function isDuration(value: unknown, least: number, most: number): boolean {
  const milliseconds = parseDuration(String(value));
  return milliseconds !== undefined && milliseconds >= least && milliseconds <= most;
}
