import { DomainError } from '../common/domain-error';

const REDACTED = '[redacted]';

/** Names of fields whose values never reach a log line, wherever they stand. Compared in lower case without separators. */
const SECRET_FIELDS: ReadonlySet<string> = new Set([
  'accesskeysecret',
  'authorization',
  'clientkey',
  'cookie',
  'credentials',
  'datakey',
  'databaseurl',
  'material',
  'objectkey',
  'passphrase',
  'password',
  'plaintext',
  'privatekey',
  'rootkey',
  'rootpassword',
  'secret',
  'secretaccesskey',
  'secretid',
  'secretkey',
  'setcookie',
  'signature',
  'token',
  'xamzsecuritytoken',
  'xamzserversideencryptioncustomerkey',
  'xamzcopysourceserversideencryptioncustomerkey',
  'xvaulttoken',
]);

/** Secrets by their look, for text that was put together elsewhere. The part after the kept prefix is replaced. */
const SECRET_TEXT: readonly RegExp[] = [
  /(X-Amz-Signature=|X-Amz-Security-Token=|Signature=|X-Vault-Token["':= ]+)[^\s&,"']+/gi,
  /(Authorization["':= ]+(?:Basic|Bearer) )[^\s"',]+/gi,
  /(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:)[^\s/@]+(?=@)/gi,
  /()\b(?:hv[sbr]|[sbr])\.[A-Za-z0-9_-]{20,}/g,
  /()-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----/g,
];

const DEEPEST = 6;

/** Replaces what looks like a secret inside a text: signatures, Vault tokens, passwords in URLs, private keys. */
export function redactText(text: string): string {
  let result = text;
  for (const pattern of SECRET_TEXT) {
    result = result.replace(pattern, `$1${REDACTED}`);
  }
  return result;
}

/**
 * Copies a value for the log: secret fields replaced by name, texts by look, bytes by their length, errors reduced to type,
 * kind, message, stack (of unexpected ones) and cause (other own fields of an error, such as the request of an HTTP client, are dropped).
 */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Error) return describeError(value, depth);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (depth >= DEEPEST) return '[…]';
  if (Array.isArray(value)) return value.map((entry) => redact(entry, depth + 1));
  if (hasToJson(value)) return redact(value.toJSON(), depth + 1);
  return Object.fromEntries(
    Object.entries(value).map(([name, entry]) => [name, isSecretField(name) ? REDACTED : redact(entry, depth + 1)]),
  );
}

function describeError(error: Error, depth: number): Record<string, unknown> {
  const kind = 'kind' in error && typeof error.kind === 'string' ? error.kind : undefined;
  return {
    type: error.name,
    ...(kind === undefined ? {} : { kind }),
    message: redactText(error.message),
    // An expected failure is told by its kind; a stack would only make the line long.
    ...(error.stack === undefined || error instanceof DomainError ? {} : { stack: redactText(error.stack) }),
    ...(error.cause === undefined || depth >= DEEPEST ? {} : { cause: redact(error.cause, depth + 1) }),
  };
}

function isSecretField(name: string): boolean {
  return SECRET_FIELDS.has(name.toLowerCase().replace(/[-_\s]/g, ''));
}

function hasToJson(value: object): value is { toJSON(): unknown } {
  return 'toJSON' in value && typeof value.toJSON === 'function';
}
