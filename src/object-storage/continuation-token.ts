import { invalidArgument } from './storage-error';

const VERSION = 1;

/** Makes the opaque token of a page from its last entry. */
export function encodeToken(lastEntry: string): string {
  return Buffer.concat([Buffer.of(VERSION), Buffer.from(lastEntry, 'utf8')]).toString('base64url');
}

/**
 * Reads a token made by {@link encodeToken}.
 * @throws StorageError `InvalidArgument` for anything else
 */
export function decodeToken(token: string): string {
  const bytes = Buffer.from(token, 'base64url');
  const entry = bytes.subarray(1).toString('utf8');
  if (bytes[0] !== VERSION || encodeToken(entry) !== token || entry.includes('\0')) {
    throw invalidArgument('The continuation token provided is incorrect', 'continuation-token', token);
  }
  return entry;
}
