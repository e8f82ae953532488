import { Pkcs11Fault } from './pkcs11-port';

const FORMAT = 1;
const HEADER_BYTES = 2;
const LONGEST_ID = 255;
const SEALED_BYTES = 48;

export const IV_BYTES = 12;
export const DATA_KEY_BYTES = 32;

/** The parts of a wrapped data key. */
export interface Pkcs11Ciphertext {
  /** CKA_ID of the key object that wrapped it. */
  readonly id: Buffer;
  readonly iv: Buffer;
  /** AES-GCM ciphertext and its 16-byte tag. */
  readonly sealed: Buffer;
}

/** Layout: 0x01 ‖ length of CKA_ID (1 byte) ‖ CKA_ID ‖ IV (12) ‖ AES-256-GCM ciphertext (32) ‖ tag (16). */
export function packCiphertext({ id, iv, sealed }: Pkcs11Ciphertext): Buffer {
  return Buffer.concat([header(id), iv, sealed]);
}

/**
 * Undoes {@link packCiphertext}.
 * @throws Pkcs11Fault `ciphertext` when it is not in that format
 */
export function unpackCiphertext(bytes: Buffer): Pkcs11Ciphertext {
  const idEnd = HEADER_BYTES + (bytes[1] ?? LONGEST_ID);
  if (bytes[0] !== FORMAT || bytes.length !== idEnd + IV_BYTES + SEALED_BYTES) {
    throw new Pkcs11Fault('ciphertext');
  }
  return {
    id: bytes.subarray(HEADER_BYTES, idEnd),
    iv: bytes.subarray(idEnd, idEnd + IV_BYTES),
    sealed: bytes.subarray(idEnd + IV_BYTES),
  };
}

/** What is authenticated with a data key. @param context canonical text of the encryption context */
export function associatedData(id: Buffer, context: string): Buffer {
  return Buffer.concat([header(id), Buffer.from(context, 'utf8')]);
}

function header(id: Buffer): Buffer {
  if (id.length > LONGEST_ID) {
    throw new Pkcs11Fault('key-unfit', 'its CKA_ID is longer than 255 bytes');
  }
  return Buffer.concat([Buffer.of(FORMAT, id.length), id]);
}
