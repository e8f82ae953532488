const TYPES: ReadonlySet<unknown> = new Set([
  'service_account',
  'authorized_user',
  'external_account',
  'impersonated_service_account',
]);

/** Credentials in one of the JSON forms that Google defines. */
export type GcpCredentialsDocument = Readonly<Record<string, unknown>>;

/** What is wrong with the text of a credentials file, without quoting it; undefined when it can be used. */
export function credentialsProblem(text: string): string | undefined {
  const document = parse(text);
  if (!document) {
    return 'is no JSON object';
  }
  if (!TYPES.has(document['type'])) {
    return `must have one of the types ${[...TYPES].join(', ')}`;
  }
  const complete = typeof document['client_email'] === 'string' && typeof document['private_key'] === 'string';
  return document['type'] === 'service_account' && !complete ? 'lacks client_email or private_key' : undefined;
}

/** @param text for which {@link credentialsProblem} finds none */
export function parseCredentials(text: string): GcpCredentialsDocument {
  return parse(text) ?? {};
}

/** JSON.parse quotes the text in its errors. */
function parse(text: string): GcpCredentialsDocument | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
