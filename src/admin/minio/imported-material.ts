import { AdminError } from '../admin-error';

const KEY_BYTES = 32;
const BASE64 = /^[A-Za-z0-9+/]{43}=$/;

/**
 * The key that a request to import one brings: madmin hands on whatever its user gave it, which is the 32 bytes
 * themselves, base64 of them, or the `{"bytes": "<base64>"}` of MinIO and KES (`Bytes` in MinIO's own spelling).
 *
 * @returns 32 bytes, owned by the caller
 * @throws AdminError `InvalidRequest`, which tells nothing of what was sent
 */
export function importedMaterial(body: Buffer): Buffer {
  if (body.length === KEY_BYTES) {
    return Buffer.from(body);
  }
  const text = body.toString('utf8').trim();
  const encoded = text.startsWith('{') ? bytesMember(text) : text;
  if (encoded === undefined || !BASE64.test(encoded)) {
    throw new AdminError('InvalidRequest', `The body must be a key of ${KEY_BYTES} bytes, or base64 of one`, [
      { field: 'bytes', message: `must be base64 of ${KEY_BYTES} bytes` },
    ]);
  }
  return Buffer.from(encoded, 'base64');
}

function bytesMember(text: string): string | undefined {
  try {
    const { bytes, Bytes } = JSON.parse(text) as { readonly bytes?: unknown; readonly Bytes?: unknown };
    const given = bytes ?? Bytes;
    return typeof given === 'string' ? given : undefined;
  } catch {
    return undefined;
  }
}
