import { createHash, randomBytes, randomInt, timingSafeEqual } from 'node:crypto';

const ID_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const GENERATED_ID_LENGTH = 20;
const GENERATED_SECRET_BYTES = 30;

/** 3 to 128 characters that need no escaping in a credential scope or a shell. */
export const ACCESS_KEY_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{2,127}$/;
/** 8 to 128 printable ASCII characters. */
export const SECRET_KEY = /^[\x21-\x7e]{8,128}$/;

/** A random access key id of 20 characters. */
export function generateAccessKeyId(): string {
  return Array.from({ length: GENERATED_ID_LENGTH }, () => ID_ALPHABET[randomInt(ID_ALPHABET.length)]).join('');
}

/** A random secret key of 40 characters, 240 bits. */
export function generateSecretKey(): string {
  return randomBytes(GENERATED_SECRET_BYTES).toString('base64url');
}

/** The sealed box purpose of an access key's secret. */
export function secretPurpose(accessKeyId: string): string {
  return `access-key:${accessKeyId}`;
}

/** A canonical user id as AWS shows it: 64 hexadecimal digits that reveal nothing. */
export function ownerIdOf(seed: string): string {
  return createHash('sha256').update(`strongroom/owner/${seed}`).digest('hex');
}

/** Compares two secrets in a time that tells nothing about where or whether they differ. */
export function secretsEqual(left: string, right: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text, 'utf8').digest();
  return timingSafeEqual(digest(left), digest(right));
}
