import { crc32c } from '@node-rs/crc32';

/** CRC32C (RFC 3720) as Cloud KMS takes it: an Int64Value. */
export function checksumOf(bytes: Buffer): { readonly value: number } {
  return { value: crc32c(bytes) };
}

/** Whether bytes arrived as they were sent; a checksum that is missing is no proof. */
export function checksumMatches(bytes: Buffer, told: { readonly value?: unknown } | null | undefined): boolean {
  return told?.value !== undefined && told.value !== null && String(told.value) === String(crc32c(bytes));
}
