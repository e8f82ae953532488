import { createCipheriv, createDecipheriv } from 'node:crypto';
import { AdminError } from '../admin-error';

/**
 * The encrypted payloads of MinIO's admin clients: `salt[32] | algorithm[1] | nonce[8] | stream`, where the stream is
 * sio-go's: fragments of 16 KiB, each sealed under `nonce | counter` (little-endian) with the additional data
 * `flag | tag of nothing`. Counter 0 belongs to that tag; fragments count from 1, and the last one bears another flag.
 */
export interface MadminPayload {
  readonly keyDerivation: 'argon2id' | 'pbkdf2';
  readonly cipher: PayloadCipher;
  /** 32 bytes. */
  readonly salt: Buffer;
  /** 8 bytes. */
  readonly nonce: Buffer;
  readonly stream: Buffer;
}

export type PayloadCipher = 'aes-256-gcm' | 'chacha20-poly1305';

const SALT_BYTES = 32;
const NONCE_BYTES = 8;
const HEADER_BYTES = SALT_BYTES + 1 + NONCE_BYTES;
const FRAGMENT_BYTES = 16 * 1024;
const TAG_BYTES = 16;
const MORE_FOLLOWS = 0x00;
const LAST = 0x80;

const ALGORITHMS: ReadonlyMap<number, Pick<MadminPayload, 'keyDerivation' | 'cipher'>> = new Map([
  [0x00, { keyDerivation: 'argon2id', cipher: 'aes-256-gcm' }],
  [0x01, { keyDerivation: 'argon2id', cipher: 'chacha20-poly1305' }],
  [0x02, { keyDerivation: 'pbkdf2', cipher: 'aes-256-gcm' }],
]);

/**
 * Takes the head of a payload apart.
 *
 * @throws AdminError `InvalidPayload` when these are no bytes of such a payload
 */
export function parsePayload(bytes: Buffer): MadminPayload {
  const algorithm = ALGORITHMS.get(bytes[SALT_BYTES] ?? -1);
  if (algorithm === undefined || bytes.length < HEADER_BYTES + TAG_BYTES) {
    throw unreadable();
  }
  return {
    ...algorithm,
    salt: bytes.subarray(0, SALT_BYTES),
    nonce: bytes.subarray(SALT_BYTES + 1, HEADER_BYTES),
    stream: bytes.subarray(HEADER_BYTES),
  };
}

/** Puts a payload together again. */
export function serializePayload(payload: MadminPayload): Buffer {
  for (const [id, algorithm] of ALGORITHMS) {
    if (algorithm.keyDerivation === payload.keyDerivation && algorithm.cipher === payload.cipher) {
      return Buffer.concat([payload.salt, Buffer.from([id]), payload.nonce, payload.stream]);
    }
  }
  throw new TypeError(`There is no payload of ${payload.keyDerivation} with ${payload.cipher}`);
}

/**
 * Opens a stream.
 *
 * @param key 32 bytes
 * @param nonce 8 bytes
 * @throws AdminError `InvalidPayload` when a fragment does not authenticate, or the stream is cut
 */
export function openStream(cipher: PayloadCipher, key: Buffer, nonce: Buffer, stream: Buffer): Buffer {
  const prefix = associatedPrefix(cipher, key, nonce);
  const sealedFragment = FRAGMENT_BYTES + TAG_BYTES;
  const fragments: Buffer[] = [];
  for (let start = 0, counter = 1; ; start += sealedFragment, counter++) {
    const sealed = stream.subarray(start, start + sealedFragment);
    const last = start + sealedFragment >= stream.length;
    if (sealed.length < TAG_BYTES) {
      throw unreadable();
    }
    const decipher = createDecipheriv(cipher as 'aes-256-gcm', key, nonceOf(nonce, counter), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(Buffer.concat([Buffer.from([last ? LAST : MORE_FOLLOWS]), prefix]));
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
    try {
      fragments.push(decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES)), decipher.final());
    } catch {
      throw unreadable();
    }
    if (last) {
      return Buffer.concat(fragments);
    }
  }
}

/**
 * Seals a stream. A text whose length is a multiple of the fragment's ends with a full last fragment.
 *
 * @param key 32 bytes, never used with this nonce before
 * @param nonce 8 bytes
 */
export function sealStream(cipher: PayloadCipher, key: Buffer, nonce: Buffer, plaintext: Buffer): Buffer {
  const prefix = associatedPrefix(cipher, key, nonce);
  const sealed: Buffer[] = [];
  for (let start = 0, counter = 1; ; start += FRAGMENT_BYTES, counter++) {
    const last = start + FRAGMENT_BYTES >= plaintext.length;
    const associated = Buffer.concat([Buffer.from([last ? LAST : MORE_FOLLOWS]), prefix]);
    sealed.push(
      sealFragment(cipher, key, nonceOf(nonce, counter), {
        associated,
        plaintext: plaintext.subarray(start, start + FRAGMENT_BYTES),
      }),
    );
    if (last) {
      return Buffer.concat(sealed);
    }
  }
}

function associatedPrefix(cipher: PayloadCipher, key: Buffer, nonce: Buffer): Buffer {
  const nothing = Buffer.alloc(0);
  return sealFragment(cipher, key, nonceOf(nonce, 0), { associated: nothing, plaintext: nothing });
}

function sealFragment(
  cipher: PayloadCipher,
  key: Buffer,
  nonce: Buffer,
  { associated, plaintext }: { readonly associated: Buffer; readonly plaintext: Buffer },
): Buffer {
  const sealer = createCipheriv(cipher as 'aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  sealer.setAAD(associated);
  return Buffer.concat([sealer.update(plaintext), sealer.final(), sealer.getAuthTag()]);
}

function nonceOf(nonce: Buffer, counter: number): Buffer {
  const whole = Buffer.alloc(NONCE_BYTES + 4);
  nonce.copy(whole);
  whole.writeUInt32LE(counter, NONCE_BYTES);
  return whole;
}

function unreadable(): AdminError {
  return new AdminError('InvalidPayload', 'The body cannot be decrypted with the secret key of your access key', [], {
    remedy: 'Send it as mc does: encrypted with the secret key that signs the request; or send text/plain or JSON',
  });
}
