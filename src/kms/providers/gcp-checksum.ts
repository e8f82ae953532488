import { crc32c } from '@node-rs/crc32';

/** An Int64Value as the SDK decodes it. */
interface Told {
  readonly value?: unknown;
}

/** CRC32C (RFC 3720) as Cloud KMS takes it: an Int64Value. */
export function checksumOf(bytes: Buffer): { readonly value: number } {
  return { value: crc32c(bytes) };
}

/** Whether bytes arrived as they were sent; a checksum that is missing is no proof. */
export function checksumMatches(bytes: Buffer, told: Told | null | undefined): boolean {
  const value = told?.value;
  return (typeof value === 'string' || typeof value === 'number') && Number(value) === crc32c(bytes);
}
