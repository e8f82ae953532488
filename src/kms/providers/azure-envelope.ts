import { randomBytes } from 'node:crypto';
import { canonicalContextText, type EncryptionContext } from '../../common/encryption-context';
import { seal, SealedBoxError, unseal } from '../../common/sealed-box';
import { KmsError } from '../kms-error';

/** How Azure wraps the key-encryption key; the position is the byte that stands for it. */
export const AZURE_WRAP_ALGORITHMS = ['RSA-OAEP-256', 'A256KW'] as const;

export type AzureWrapAlgorithm = (typeof AZURE_WRAP_ALGORITHMS)[number];

const FORMAT = 1;
const KEY_BYTES = 32;
const VERSION_BYTES = 16;
const LENGTH_AT = 2 + VERSION_BYTES;
const HEADER_BYTES = LENGTH_AT + 2;

/** A wrapped data key taken apart. */
export interface AzureEnvelope {
  readonly algorithm: AzureWrapAlgorithm;
  /** Version of the key that wrapped, 32 hexadecimal digits. */
  readonly keyVersion: string;
  /** The key-encryption key as Azure wrapped it. */
  readonly wrappedKey: Buffer;
  /** The data key, sealed under the key-encryption key. */
  readonly box: Buffer;
}

/** A new data key, sealed under a new key-encryption key. */
export interface SealedDataKey {
  readonly plaintext: Buffer;
  /** 32 bytes, to be wrapped by Azure and overwritten. */
  readonly encryptionKey: Buffer;
  readonly box: Buffer;
}

/**
 * Makes a data key. RSA authenticates nothing besides the key it wraps, so the context is bound here: the data key is sealed
 * with AES-256-GCM under a key that only Azure can give back, the context being its associated data.
 */
export function sealNewDataKey(context: EncryptionContext): SealedDataKey {
  const [plaintext, encryptionKey] = [randomBytes(KEY_BYTES), randomBytes(KEY_BYTES)];
  return { plaintext, encryptionKey, box: seal(encryptionKey, plaintext, purposeOf(context)) };
}

/**
 * @param encryptionKey as Azure unwrapped it; overwritten
 * @throws KmsError `kms-invalid-ciphertext` when it is another key, another context, or an altered box
 */
export function openDataKey(kms: string, encryptionKey: Uint8Array, box: Buffer, context: EncryptionContext): Buffer {
  const key = Buffer.from(encryptionKey.buffer, encryptionKey.byteOffset, encryptionKey.byteLength);
  try {
    if (key.length !== KEY_BYTES) {
      throw new SealedBoxError('The key has another length');
    }
    return unseal(key, box, purposeOf(context));
  } catch (cause) {
    if (!(cause instanceof SealedBoxError)) {
      throw cause;
    }
    throw new KmsError(
      'kms-invalid-ciphertext',
      `${kms} cannot unwrap the data key with this key and encryption context`,
      { cause },
    );
  } finally {
    key.fill(0);
  }
}

/**
 * Layout: format (1 byte, 0x01) ‖ algorithm (1 byte) ‖ key version (16 bytes) ‖ length of the wrapped key (2 bytes, big
 * endian) ‖ wrapped key ‖ sealed box.
 */
export function encodeEnvelope({ algorithm, keyVersion, wrappedKey, box }: AzureEnvelope): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header[0] = FORMAT;
  header[1] = AZURE_WRAP_ALGORITHMS.indexOf(algorithm);
  header.write(keyVersion, 2, 'hex');
  header.writeUInt16BE(wrappedKey.length, LENGTH_AT);
  return Buffer.concat([header, wrappedKey, box]);
}

/** @throws KmsError `kms-invalid-ciphertext` for what {@link encodeEnvelope} did not make */
export function decodeEnvelope(kms: string, bytes: Buffer): AzureEnvelope {
  const algorithm = bytes.length > HEADER_BYTES ? AZURE_WRAP_ALGORITHMS[bytes[1] ?? -1] : undefined;
  const end = algorithm === undefined ? 0 : HEADER_BYTES + bytes.readUInt16BE(LENGTH_AT);
  if (algorithm === undefined || bytes[0] !== FORMAT || end === HEADER_BYTES || end >= bytes.length) {
    throw new KmsError('kms-invalid-ciphertext', `The wrapped data key is not one of ${kms}`);
  }
  return {
    algorithm,
    keyVersion: bytes.toString('hex', 2, LENGTH_AT),
    wrappedKey: bytes.subarray(HEADER_BYTES, end),
    box: bytes.subarray(end),
  };
}

function purposeOf(context: EncryptionContext): string {
  return `kms-azure:${canonicalContextText(context)}`;
}
