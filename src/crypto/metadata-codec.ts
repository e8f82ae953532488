import { canonicalContextText, type EncryptionContext } from '../common/encryption-context';
import type { WrappedDataKey } from '../kms/data-keys';
import { CiphertextError } from './dare';
import type { EncryptionRecord } from './encryption.types';
import { SEAL_ALGORITHM } from './key-derivation';
import { parseContext } from './kms-context';
import { SEAL_IV_BYTES, SEALED_KEY_BYTES } from './object-key-seal';
import type { EncryptedMode } from './object-stages';

/** Object metadata by name, as MinIO keeps it beside an object's data. */
export type InternalMetadata = Readonly<Record<string, string>>;

const PREFIX = 'X-Minio-Internal-Server-Side-Encryption-';
const IV = `${PREFIX}Iv`;
const SEAL_ALGORITHM_NAME = `${PREFIX}Seal-Algorithm`;
const CONTEXT = `${PREFIX}Context`;
const MULTIPART = 'X-Minio-Internal-Encrypted-Multipart';
/** The `S3-` is MinIO's for SSE-KMS as well. */
const KMS_KEY_ID = `${PREFIX}S3-Kms-Key-Id`;
const KMS_CIPHERTEXT = `${PREFIX}S3-Kms-Sealed-Key`;

/** What MinIO has no name for. It ignores these, and finds no sealed key at all in a dual-layer object. */
const KMS = 'X-Strongroom-Internal-Kms';
const KMS_KEY_VERSION = 'X-Strongroom-Internal-Kms-Key-Version';
const BUCKET_KEY = 'X-Strongroom-Internal-Bucket-Key';

/** The slot that holds the sealed object key; which one is filled decides the kind of encryption, and nothing else does. */
const SEALED_KEY_SLOTS: Readonly<Record<EncryptedMode, string>> = {
  'sse-c': `${PREFIX}Sealed-Key`,
  'sse-s3': `${PREFIX}S3-Sealed-Key`,
  'sse-kms': `${PREFIX}Kms-Sealed-Key`,
  'dsse-kms': 'X-Strongroom-Internal-Dsse-Kms-Sealed-Key',
};

/** Writes a record in MinIO's internal metadata names; binary values in base64. */
export function encodeMetadata(record: EncryptionRecord): Record<string, string> {
  const metadata: Record<string, string> = {
    [IV]: record.iv.toString('base64'),
    [SEAL_ALGORITHM_NAME]: record.sealAlgorithm,
    [SEALED_KEY_SLOTS[record.mode]]: record.sealedKey.toString('base64'),
  };
  if (record.wrappedKey !== undefined) {
    metadata[KMS] = record.wrappedKey.kms;
    metadata[KMS_KEY_ID] = record.wrappedKey.keyId;
    metadata[KMS_CIPHERTEXT] = record.wrappedKey.ciphertext.toString('base64');
    if (record.wrappedKey.keyVersion !== undefined) {
      metadata[KMS_KEY_VERSION] = record.wrappedKey.keyVersion;
    }
  }
  if (record.context !== undefined) {
    metadata[CONTEXT] = Buffer.from(canonicalContextText(record.context), 'utf8').toString('base64');
  }
  if (record.bucketKey === true) {
    metadata[BUCKET_KEY] = 'true';
  }
  if (record.multipart) {
    metadata[MULTIPART] = '';
  }
  return metadata;
}

/**
 * Reads a record from MinIO's internal metadata names. Other names are passed over.
 *
 * @param kms the KMS that MinIO's own metadata, which names none, is to be read with: `<type>:<target>`
 * @returns undefined when the object is not encrypted
 * @throws CiphertextError when a value is missing, malformed, of the wrong length, or contradicts another
 */
export function decodeMetadata(metadata: InternalMetadata, kms: string): EncryptionRecord | undefined {
  const filled = (Object.keys(SEALED_KEY_SLOTS) as EncryptedMode[]).filter((mode) =>
    Object.hasOwn(metadata, SEALED_KEY_SLOTS[mode]),
  );
  const [mode, second] = filled;
  if (mode === undefined) {
    const remains = Object.keys(metadata).find((name) => name.startsWith(PREFIX) || name === MULTIPART);
    if (remains !== undefined) {
      throw new CiphertextError('The encryption metadata has no sealed key');
    }
    return undefined;
  }
  if (second !== undefined) {
    throw new CiphertextError('The encryption metadata has more than one sealed key');
  }
  if (metadata[SEAL_ALGORITHM_NAME] !== SEAL_ALGORITHM) {
    throw new CiphertextError('The encryption metadata names no known seal algorithm');
  }
  const wrappedKey = decodeWrappedKey(metadata, kms);
  if (mode === 'sse-c' && wrappedKey !== undefined) {
    throw new CiphertextError('The encryption metadata has a KMS key beside a customer key');
  }
  return {
    mode,
    iv: decodeBase64(metadata, IV, SEAL_IV_BYTES),
    sealAlgorithm: SEAL_ALGORITHM,
    sealedKey: decodeBase64(metadata, SEALED_KEY_SLOTS[mode], SEALED_KEY_BYTES),
    ...(wrappedKey === undefined ? {} : { wrappedKey }),
    ...(Object.hasOwn(metadata, CONTEXT) ? { context: decodeContext(metadata) } : {}),
    ...(metadata[BUCKET_KEY] === 'true' ? { bucketKey: true } : {}),
    multipart: Object.hasOwn(metadata, MULTIPART),
  };
}

function decodeWrappedKey(metadata: InternalMetadata, kms: string): WrappedDataKey | undefined {
  const keyId = metadata[KMS_KEY_ID];
  const hasCiphertext = Object.hasOwn(metadata, KMS_CIPHERTEXT);
  if ((keyId === undefined) === hasCiphertext) {
    throw new CiphertextError('The encryption metadata has only half of the wrapped data key');
  }
  if (keyId === undefined) {
    return undefined;
  }
  if (keyId === '') {
    throw new CiphertextError('The encryption metadata has an empty KMS key id');
  }
  const keyVersion = metadata[KMS_KEY_VERSION];
  return {
    kms: metadata[KMS] ?? kms,
    keyId,
    ...(keyVersion === undefined ? {} : { keyVersion }),
    ciphertext: decodeBase64(metadata, KMS_CIPHERTEXT),
  };
}

function decodeContext(metadata: InternalMetadata): EncryptionContext {
  const text = decodeBase64(metadata, CONTEXT).toString('utf8');
  const context = parseContext(text);
  if (context === undefined) {
    throw new CiphertextError('The encryption metadata has a malformed context');
  }
  return context;
}

function decodeBase64(metadata: InternalMetadata, name: string, length?: number): Buffer {
  const text = metadata[name] ?? '';
  const bytes = Buffer.from(text, 'base64');
  if (text === '' || bytes.toString('base64') !== text) {
    throw new CiphertextError(`The encryption metadata value ${name} is not base64`);
  }
  if (length !== undefined && bytes.length !== length) {
    throw new CiphertextError(`The encryption metadata value ${name} does not have ${length} bytes`);
  }
  return bytes;
}
