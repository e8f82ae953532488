import { createHash, randomBytes, randomInt, timingSafeEqual } from 'node:crypto';

const ID_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const GENERATED_ID_LENGTH = 20;
const GENERATED_SECRET_BYTES = 30;

/** 3 to 128 characters that need no escaping in a credential scope or a shell. */
export const ACCESS_KEY_ID = /^[A-Za-z0-9][A-Za-z0-9._@-]{2,127}$/;
/** Ids of temporary credentials, which no lasting access key may have. */
export const TEMPORARY_KEY_ID = /^ASIA[A-Z2-7]{16}$/;
/** 8 to 128 printable ASCII characters. */
export const SECRET_KEY = /^[\x21-\x7e]{8,128}$/;

/** A random access key id of 20 characters, never one of a temporary credential. */
export function generateAccessKeyId(): string {
  const id = randomId(GENERATED_ID_LENGTH);
  return TEMPORARY_KEY_ID.test(id) ? generateAccessKeyId() : id;
}

/** A random id of a temporary credential, of 20 characters as in AWS. */
export function generateTemporaryKeyId(): string {
  return `ASIA${randomId(GENERATED_ID_LENGTH - 4)}`;
}

/** A random session token of 86 characters, 512 bits. */
export function generateSessionToken(): string {
  return randomBytes(64).toString('base64url');
}

/** A random secret key of 40 characters, 240 bits. */
export function generateSecretKey(): string {
  return randomBytes(GENERATED_SECRET_BYTES).toString('base64url');
}

/** The sealed box purpose of an access key's secret. */
export function secretPurpose(accessKeyId: string): string {
  return `access-key:${accessKeyId}`;
}

/** The sealed box purpose of a temporary credential's secret. */
export function sessionSecretPurpose(accessKeyId: string): string {
  return `sts-session:${accessKeyId}`;
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

function randomId(length: number): string {
  return Array.from({ length }, () => ID_ALPHABET[randomInt(ID_ALPHABET.length)]).join('');
}
