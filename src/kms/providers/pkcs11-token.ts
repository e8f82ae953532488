import { randomBytes } from 'node:crypto';
import type { Mechanism } from 'pkcs11js';
import { associatedData, DATA_KEY_BYTES, IV_BYTES, packCiphertext, unpackCiphertext } from './pkcs11-ciphertext';
import { Pkcs11Fault, type Pkcs11DataKey, type Pkcs11KeyVersion, type Pkcs11ThreadOptions } from './pkcs11-port';
import { numberOf, pkcs11Fault, Pkcs11Session, type Handle, type OpenSession } from './pkcs11-session';

const KEY_BYTES = 32;
const TAG_BYTES = 16;
const VERSION_BYTES = 4;
const UNIQUE_BYTES = 8;
const FOUND_AT_ONCE = 64;
/** Milliseconds for which key objects are not looked for again: as late is a rotation by another process noticed. */
const KNOWN_FOR = 10_000;
/** What libraries answer to a tag that does not fit, besides the two values meant for it. */
const BAD_TAG: ReadonlySet<string> = new Set([
  'CKR_ENCRYPTED_DATA_INVALID',
  'CKR_ENCRYPTED_DATA_LEN_RANGE',
  'CKR_AEAD_DECRYPT_FAILED',
]);
const PERHAPS_BAD_TAG: ReadonlySet<string> = new Set([
  'CKR_GENERAL_ERROR',
  'CKR_FUNCTION_FAILED',
  'CKR_DATA_INVALID',
  'CKR_DEVICE_ERROR',
]);

interface KeyObject {
  readonly handle: Handle;
  readonly id: Buffer;
  readonly unfit?: string;
}

/**
 * AES-256 keys of one token. The versions of a key are key objects with the same label; the CKA_ID of those made here is
 * the version number (4 bytes, big-endian) and 8 random bytes, so that versions made at the same time are not mistaken
 * for each other.
 */
export class Pkcs11Token {
  readonly session: Pkcs11Session;
  private readonly known = new Map<string, { readonly until: number; readonly keys: readonly KeyObject[] }>();

  constructor(options: Pkcs11ThreadOptions) {
    this.session = new Pkcs11Session(options, () => this.known.clear());
  }

  probe(): null {
    this.session.run(({ library, handle }) => library.C_GetSessionInfo(handle));
    return null;
  }

  /** Makes a data key and wraps it with the newest version. */
  generate(label: string, context: string): Pkcs11DataKey {
    return this.session.run((session) => {
      const key = this.latest(session, label);
      if (key.unfit !== undefined) {
        throw new Pkcs11Fault('key-unfit', key.unfit);
      }
      const plaintext = randomBytes(DATA_KEY_BYTES);
      const iv = randomBytes(IV_BYTES);
      const sealed = encrypt(session, key.handle, gcm(session, iv, associatedData(key.id, context)), plaintext);
      return { plaintext, ciphertext: copyOf(packCiphertext({ id: key.id, iv, sealed })), version: versionOf(key) };
    });
  }

  /** Unwraps a data key with the version that wrapped it. */
  decrypt(label: string, context: string, ciphertext: Buffer): Buffer {
    return this.session.run((session) => {
      let keys = this.keysOf(session, label);
      const { id, iv, sealed } = unpackCiphertext(ciphertext);
      if (!keys.some((each) => each.id.equals(id))) {
        this.known.delete(label);
        keys = this.keysOf(session, label);
      }
      const key = keys.find((each) => each.id.equals(id));
      if (!key) {
        throw new Pkcs11Fault('ciphertext', 'no version of the key has the CKA_ID that it names');
      }
      return this.open(session, key, gcm(session, iv, associatedData(id, context)), sealed);
    });
  }

  describe(label: string): Pkcs11KeyVersion[] {
    return this.session.run((session) => {
      this.known.delete(label);
      return this.keysOf(session, label).map((key) => ({ version: versionOf(key), unfit: key.unfit }));
    });
  }

  list(): string[] {
    return this.session.run((session) => {
      const labels = find(session).map((handle) => attribute(session, handle, session.js.CKA_LABEL).toString('utf8'));
      return [...new Set(labels)];
    });
  }

  create(label: string): Pkcs11KeyVersion[] {
    this.session.run((session) => {
      if (find(session, label).length > 0) {
        throw new Pkcs11Fault('key-exists');
      }
      generateKey(session, label, 1);
    });
    return this.describe(label);
  }

  rotate(label: string): Pkcs11KeyVersion[] {
    this.session.run((session) => {
      this.known.delete(label);
      generateKey(session, label, versionNumber(this.latest(session, label).id) + 1);
    });
    return this.describe(label);
  }

  destroy(label: string): null {
    return this.session.run((session) => {
      this.known.delete(label);
      find(session, label).forEach((key) => session.library.C_DestroyObject(session.handle, key));
      return null;
    });
  }

  private latest(session: OpenSession, label: string): KeyObject {
    const latest = this.keysOf(session, label).at(-1);
    if (!latest) {
      throw new Pkcs11Fault('key-not-found');
    }
    return latest;
  }

  /** All versions of a key, oldest first; never none. */
  private keysOf(session: OpenSession, label: string): readonly KeyObject[] {
    const known = this.known.get(label);
    if (known && known.until > performance.now()) {
      return known.keys;
    }
    this.known.delete(label);
    const keys = find(session, label)
      .map((handle) => readKey(session, handle))
      .sort((left, right) => versionNumber(left.id) - versionNumber(right.id) || left.id.compare(right.id));
    if (keys.length === 0) {
      throw new Pkcs11Fault('key-not-found');
    }
    if (keys.some((key, index) => keys[index + 1]?.id.equals(key.id) === true)) {
      throw new Pkcs11Fault('key-ambiguous');
    }
    this.known.set(label, { until: performance.now() + KNOWN_FOR, keys });
    return keys;
  }

  private open(session: OpenSession, key: KeyObject, mechanism: Mechanism, sealed: Buffer): Buffer {
    const { library, handle } = session;
    library.C_DecryptInit(handle, mechanism, key.handle);
    const room = Buffer.alloc(sealed.length + TAG_BYTES);
    try {
      const plaintext = copyOf(library.C_Decrypt(handle, sealed, room));
      if (plaintext.length !== DATA_KEY_BYTES) {
        throw new Pkcs11Fault('protocol', 'a data key that is not 32 bytes long');
      }
      return plaintext;
    } catch (error) {
      const { reason } = pkcs11Fault(error);
      // Some libraries have but one answer to everything that fails; a key that works otherwise is not what failed.
      if (BAD_TAG.has(reason) || (PERHAPS_BAD_TAG.has(reason) && works(session, key.handle))) {
        throw new Pkcs11Fault('ciphertext');
      }
      throw error;
    } finally {
      room.fill(0);
    }
  }
}

/** Memory of its own: what shares the pool of small buffers would be sent along to the other thread. */
function copyOf(bytes: Buffer): Buffer {
  const copy = Buffer.alloc(bytes.length);
  bytes.copy(copy);
  return copy;
}

/** Whether a key can decrypt what it has encrypted. */
function works(session: OpenSession, key: Handle): boolean {
  const { library, handle } = session;
  try {
    const mechanism = gcm(session, randomBytes(IV_BYTES), Buffer.from('self-test', 'utf8'));
    const sealed = encrypt(session, key, mechanism, Buffer.alloc(DATA_KEY_BYTES));
    library.C_DecryptInit(handle, mechanism, key);
    return library.C_Decrypt(handle, sealed, Buffer.alloc(sealed.length + TAG_BYTES)).length === DATA_KEY_BYTES;
  } catch {
    return false;
  }
}

function encrypt({ library, handle }: OpenSession, key: Handle, mechanism: Mechanism, plaintext: Buffer): Buffer {
  library.C_EncryptInit(handle, mechanism, key);
  const sealed = Buffer.from(library.C_Encrypt(handle, plaintext, Buffer.alloc(plaintext.length + 2 * TAG_BYTES)));
  if (sealed.length !== plaintext.length + TAG_BYTES) {
    throw new Pkcs11Fault('protocol', 'a ciphertext of an unexpected length');
  }
  return sealed;
}

function gcm({ js }: OpenSession, iv: Buffer, aad: Buffer): Mechanism {
  const parameter = { type: js.CK_PARAMS_AES_GCM, iv, ivBits: IV_BYTES * 8, aad, tagBits: TAG_BYTES * 8 };
  return { mechanism: js.CKM_AES_GCM, parameter };
}

/** Handles of AES keys kept in the token, all or those with a label. */
function find({ js, library, handle }: OpenSession, label?: string): Handle[] {
  const template = [
    { type: js.CKA_CLASS, value: js.CKO_SECRET_KEY },
    { type: js.CKA_KEY_TYPE, value: js.CKK_AES },
    { type: js.CKA_TOKEN, value: true },
  ];
  library.C_FindObjectsInit(
    handle,
    label === undefined ? template : [...template, { type: js.CKA_LABEL, value: Buffer.from(label, 'utf8') }],
  );
  try {
    const found: Handle[] = [];
    for (;;) {
      const some = library.C_FindObjects(handle, FOUND_AT_ONCE);
      found.push(...some);
      if (some.length === 0) {
        return found;
      }
    }
  } finally {
    library.C_FindObjectsFinal(handle);
  }
}

function readKey(session: OpenSession, handle: Handle): KeyObject {
  const { js } = session;
  const read = (type: number): Buffer => attribute(session, handle, type);
  const problems = [
    numberOf(read(js.CKA_VALUE_LEN)) === KEY_BYTES ? '' : 'it is not 256 bits long',
    read(js.CKA_SENSITIVE)[0] === 1 ? '' : 'it is not sensitive',
    read(js.CKA_EXTRACTABLE)[0] === 0 ? '' : 'it is extractable',
    read(js.CKA_ENCRYPT)[0] === 1 && read(js.CKA_DECRYPT)[0] === 1 ? '' : 'it may not both encrypt and decrypt',
  ].filter((problem) => problem !== '');
  return { handle, id: read(js.CKA_ID), unfit: problems.length > 0 ? problems.join(', ') : undefined };
}

function attribute({ library, handle }: OpenSession, object: Handle, type: number): Buffer {
  return Buffer.from(library.C_GetAttributeValue(handle, object, [{ type }])[0]?.value ?? Buffer.alloc(0));
}

function generateKey({ js, library, handle }: OpenSession, label: string, version: number): void {
  const id = Buffer.concat([Buffer.alloc(VERSION_BYTES), randomBytes(UNIQUE_BYTES)]);
  id.writeUInt32BE(version);
  library.C_GenerateKey(handle, { mechanism: js.CKM_AES_KEY_GEN }, [
    { type: js.CKA_CLASS, value: js.CKO_SECRET_KEY },
    { type: js.CKA_KEY_TYPE, value: js.CKK_AES },
    { type: js.CKA_VALUE_LEN, value: KEY_BYTES },
    { type: js.CKA_LABEL, value: Buffer.from(label, 'utf8') },
    { type: js.CKA_ID, value: id },
    { type: js.CKA_TOKEN, value: true },
    { type: js.CKA_PRIVATE, value: true },
    { type: js.CKA_SENSITIVE, value: true },
    { type: js.CKA_EXTRACTABLE, value: false },
    { type: js.CKA_ENCRYPT, value: true },
    { type: js.CKA_DECRYPT, value: true },
  ]);
}

/** Keys made elsewhere have ids of any kind: short ones are numbers, others are older than any made here. */
function versionNumber(id: Buffer): number {
  if (id.length === VERSION_BYTES + UNIQUE_BYTES) {
    return id.readUInt32BE();
  }
  return id.length > 0 && id.length <= VERSION_BYTES ? id.readUIntBE(0, id.length) : 0;
}

function versionOf({ id }: KeyObject): string {
  return id.length > 0 ? id.toString('hex') : '-';
}
