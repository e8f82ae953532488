/** An encryption context: string pairs that the KMS authenticates together with a data key. Not secret. */
export type EncryptionContext = Readonly<Record<string, string>>;

const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

/**
 * Returns the one text form of a context, which is what gets authenticated: compact JSON, keys in the order of their UTF-8
 * bytes, `{}` when empty. The escapes are those of MinIO's `kms.Context` (Go's HTML-safe JSON), so that ciphertext made
 * with either opens with the other.
 */
export function canonicalContextText(context: EncryptionContext): string {
  const entries = Object.entries(context)
    .map(([name, value]) => ({ bytes: Buffer.from(name, 'utf8'), name, value }))
    .sort((left, right) => left.bytes.compare(right.bytes));
  return `{${entries.map(({ name, value }) => `"${escape(name)}":"${escape(value)}"`).join(',')}}`;
}

function escape(text: string): string {
  return text.replace(
    // eslint-disable-next-line no-control-regex -- JSON escapes exactly these
    /[\u0000-\u001f"\\<>&\u2028\u2029]/g,
    (character) => SHORT_ESCAPES[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
