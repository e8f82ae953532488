import type { EncryptionContext } from '../common/encryption-context';

const SHORT_ESCAPES: Readonly<Record<string, string>> = { '"': '\\"', '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

// MinIO escapes what is special in HTML and JavaScript as well, and spells \b and \f as code points; JSON.stringify does not.
// eslint-disable-next-line no-control-regex
const ESCAPED = /["\\\u0000-\u001f<>&\u2028\u2029]/g;

/**
 * The text an encryption context is bound by, as UTF-8: compact JSON with keys in byte order, `{}` when empty, spelled
 * exactly as MinIO spells it (`internal/kms/context.go`), so that wrapped keys stay portable.
 */
export function canonicalContext(context: EncryptionContext): Buffer {
  const entries = Object.entries(context).map(([key, value]) => ({ bytes: Buffer.from(key, 'utf8'), key, value }));
  entries.sort((a, b) => Buffer.compare(a.bytes, b.bytes));
  const members = entries.map(({ key, value }) => `"${escape(key)}":"${escape(value)}"`);
  return Buffer.from(`{${members.join(',')}}`, 'utf8');
}

function escape(text: string): string {
  return text.replace(
    ESCAPED,
    (character) => SHORT_ESCAPES[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
