import { createCipheriv, createDecipheriv, hkdfSync, randomBytes, type CipherGCMTypes } from 'node:crypto';

/** An answer that is not a success. */
export class VaultFault extends Error {
  constructor(
    readonly status: number,
    readonly errors: readonly string[],
  ) {
    super(errors.join('; '));
  }
}

export interface TransitKeyOptions {
  readonly type?: string;
  readonly derived?: boolean;
  readonly exportable?: boolean;
  /** Seconds. */
  readonly autoRotatePeriod?: number;
}

interface TransitKey {
  readonly name: string;
  readonly type: string;
  readonly derived: boolean;
  readonly exportable: boolean;
  readonly versions: { readonly key: Buffer; readonly createdAt: number }[];
  minDecryptionVersion: number;
  minEncryptionVersion: number;
  deletionAllowed: boolean;
  readonly autoRotatePeriod: number;
}

type Body = Readonly<Record<string, unknown>>;

const SYMMETRIC = new Set(['aes256-gcm96', 'aes128-gcm96', 'chacha20-poly1305']);
const KNOWN_TYPES = new Set([...SYMMETRIC, 'rsa-2048', 'rsa-3072', 'rsa-4096', 'ecdsa-p256', 'ed25519', 'hmac']);
const MISSING_CONTEXT =
  "missing 'context' for key derivation; the key was created using a derived key, which means additional, per-request " +
  'information must be included in order to perform operations with the key';

/** One transit mount: the public behaviour of the engine, with real AES-256-GCM. */
export class FakeTransit {
  private readonly keys = new Map<string, TransitKey>();

  constructor(private readonly now: () => number) {}

  has(name: string): boolean {
    return this.keys.has(name);
  }

  list(): string[] {
    return [...this.keys.keys()].sort();
  }

  create(name: string, options: TransitKeyOptions = {}): void {
    const type = options.type ?? 'aes256-gcm96';
    if (!KNOWN_TYPES.has(type)) {
      throw new VaultFault(400, [`unknown key type ${type}`]);
    }
    if (this.keys.has(name)) {
      return;
    }
    this.keys.set(name, {
      name,
      type,
      derived: options.derived ?? false,
      exportable: options.exportable ?? false,
      versions: [{ key: randomBytes(32), createdAt: Math.floor(this.now() / 1000) }],
      minDecryptionVersion: 1,
      minEncryptionVersion: 0,
      deletionAllowed: false,
      autoRotatePeriod: options.autoRotatePeriod ?? 0,
    });
  }

  describe(name: string): Body {
    const key = this.keys.get(name);
    if (!key) {
      throw new VaultFault(404, []);
    }
    const versions = key.versions.map(({ createdAt }, index) => [String(index + 1), createdAt] as const);
    return {
      name,
      type: key.type,
      derived: key.derived,
      ...(key.derived ? { kdf: 'hkdf_sha256', convergent_encryption: false } : {}),
      exportable: key.exportable,
      allow_plaintext_backup: false,
      auto_rotate_period: key.autoRotatePeriod,
      deletion_allowed: key.deletionAllowed,
      latest_version: key.versions.length,
      min_available_version: 0,
      min_decryption_version: key.minDecryptionVersion,
      min_encryption_version: key.minEncryptionVersion,
      supports_encryption: SYMMETRIC.has(key.type),
      supports_decryption: SYMMETRIC.has(key.type),
      supports_derivation: SYMMETRIC.has(key.type),
      supports_signing: false,
      imported_key: false,
      keys: Object.fromEntries(versions.slice(key.minDecryptionVersion - 1)),
    };
  }

  configure(name: string, body: Body): void {
    const key = this.required(name, 'no existing key named ' + name + ' could be found');
    const version = (field: string, otherwise: number): number => Number(body[field] ?? otherwise);
    const minDecryption = version('min_decryption_version', key.minDecryptionVersion);
    const minEncryption = version('min_encryption_version', key.minEncryptionVersion);
    if (minDecryption > key.versions.length) {
      throw new VaultFault(400, [
        `cannot set min decryption version of ${minDecryption}, latest key version is ${key.versions.length}`,
      ]);
    }
    if (minEncryption > key.versions.length) {
      throw new VaultFault(400, [
        `cannot set min encryption version of ${minEncryption}, latest key version is ${key.versions.length}`,
      ]);
    }
    key.minDecryptionVersion = Math.max(1, minDecryption);
    key.minEncryptionVersion = minEncryption;
    key.deletionAllowed =
      body['deletion_allowed'] === undefined ? key.deletionAllowed : body['deletion_allowed'] === true;
  }

  rotate(name: string): void {
    this.required(name, 'key not found').versions.push({
      key: randomBytes(32),
      createdAt: Math.floor(this.now() / 1000),
    });
  }

  delete(name: string): void {
    const key = this.required(name, `error deleting policy ${name}: could not delete key; not found`);
    if (!key.deletionAllowed) {
      throw new VaultFault(400, [`error deleting policy ${name}: deletion is not allowed for this policy`]);
    }
    this.keys.delete(name);
  }

  encrypt(name: string, body: Body): Body {
    const key = this.required(name);
    return this.batched(body, (item) => {
      if (typeof item['plaintext'] !== 'string') {
        throw new VaultFault(400, ['missing plaintext']);
      }
      const plaintext = base64(item['plaintext'], 'failed to base64-decode plaintext');
      return this.seal(key, plaintext, item);
    });
  }

  decrypt(name: string, body: Body): Body {
    const key = this.required(name);
    return this.batched(body, (item) => ({ plaintext: this.open(key, item).toString('base64') }));
  }

  /** Takes no associated data, as in Vault. */
  rewrap(name: string, body: Body): Body {
    const key = this.required(name);
    return this.batched(body, (item) => {
      const bare = { ...item, associated_data: undefined, key_version: item['key_version'] };
      return this.seal(key, this.open(key, bare), bare);
    });
  }

  /** Takes no associated data, as in Vault: the field is ignored. */
  dataKey(name: string, kind: string, body: Body): Body {
    if (kind !== 'plaintext' && kind !== 'wrapped') {
      throw new VaultFault(400, ["Invalid path, must be 'plaintext' or 'wrapped'"]);
    }
    const key = this.required(name);
    const bits = Number(body['bits'] ?? 256);
    if (![128, 256, 512].includes(bits)) {
      throw new VaultFault(400, ['invalid bit length']);
    }
    const plaintext = randomBytes(bits / 8);
    const sealed = this.seal(key, plaintext, { context: body['context'], key_version: body['key_version'] });
    return { ...sealed, ...(kind === 'plaintext' ? { plaintext: plaintext.toString('base64') } : {}) };
  }

  private required(name: string, message = 'encryption key not found'): TransitKey {
    const key = this.keys.get(name);
    if (!key) {
      throw new VaultFault(400, [message]);
    }
    return key;
  }

  private batched(body: Body, work: (item: Body) => Body): Body {
    const batch = body['batch_input'];
    if (batch === undefined) {
      return work(body);
    }
    if (!Array.isArray(batch) || batch.length === 0) {
      throw new VaultFault(400, ['missing batch input to process']);
    }
    if (new Set((batch as Body[]).map(({ context }) => context !== undefined)).size > 1) {
      throw new VaultFault(400, ['context should be set either in all the request blocks or in none']);
    }
    const results = (batch as Body[]).map((item) => {
      try {
        return work(item);
      } catch (error) {
        return { error: error instanceof VaultFault ? error.message : 'internal error' };
      }
    });
    return { batch_results: results };
  }

  private seal(key: TransitKey, plaintext: Buffer, item: Body): Body {
    const latest = key.versions.length;
    const version = Number(item['key_version'] ?? 0) || latest;
    if (version > latest) {
      throw new VaultFault(400, ['requested version for encryption is higher than the latest key version']);
    }
    if (version < key.minEncryptionVersion) {
      throw new VaultFault(400, ['requested version for encryption is less than the minimum encryption key version']);
    }
    const nonce = randomBytes(12);
    const cipher = createCipheriv(cipherOf(key), this.material(key, version, item), nonce, { authTagLength: 16 });
    cipher.setAAD(associatedData(item), { plaintextLength: plaintext.length });
    const box = Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
    return { ciphertext: `vault:v${version}:${box.toString('base64')}`, key_version: version };
  }

  private open(key: TransitKey, item: Body): Buffer {
    const text = item['ciphertext'];
    if (typeof text !== 'string' || text === '') {
      throw new VaultFault(400, ['missing ciphertext to decrypt']);
    }
    if (!text.startsWith('vault:v')) {
      throw new VaultFault(400, ['invalid ciphertext: no prefix']);
    }
    const [number, payload, ...rest] = text.slice('vault:v'.length).split(':');
    if (number === undefined || payload === undefined || rest.length > 0) {
      throw new VaultFault(400, ['invalid ciphertext: wrong number of fields']);
    }
    if (!/^\d+$/.test(number)) {
      throw new VaultFault(400, ['invalid ciphertext: version number could not be decoded']);
    }
    const version = Number(number) || 1;
    if (version > key.versions.length) {
      throw new VaultFault(400, ['invalid ciphertext: version is too new']);
    }
    if (version < key.minDecryptionVersion) {
      throw new VaultFault(400, ['ciphertext or signature version is disallowed by policy (too old)']);
    }
    const box = base64(payload, 'invalid ciphertext: could not decode base64');
    if (box.length < 28) {
      throw new VaultFault(400, ['invalid ciphertext length']);
    }
    const decipher = createDecipheriv(cipherOf(key), this.material(key, version, item), box.subarray(0, 12), {
      authTagLength: 16,
    });
    decipher.setAAD(associatedData(item), { plaintextLength: box.length - 28 });
    decipher.setAuthTag(box.subarray(box.length - 16));
    try {
      return Buffer.concat([decipher.update(box.subarray(12, box.length - 16)), decipher.final()]);
    } catch {
      throw new VaultFault(400, ['cipher: message authentication failed']);
    }
  }

  private material(key: TransitKey, version: number, item: Body): Buffer {
    if (!SYMMETRIC.has(key.type)) {
      throw new VaultFault(400, [`message encryption not supported for key type ${key.type}`]);
    }
    const master = key.versions[version - 1]?.key ?? Buffer.alloc(0);
    const length = key.type === 'aes128-gcm96' ? 16 : 32;
    if (!key.derived) {
      return master.subarray(0, length);
    }
    const context =
      typeof item['context'] === 'string'
        ? base64(item['context'], 'failed to base64-decode context')
        : Buffer.alloc(0);
    if (context.length === 0) {
      throw new VaultFault(400, [MISSING_CONTEXT]);
    }
    return Buffer.from(hkdfSync('sha256', master, Buffer.alloc(0), context, length));
  }
}

function cipherOf(key: TransitKey): CipherGCMTypes {
  const names: Readonly<Record<string, string>> = {
    'aes128-gcm96': 'aes-128-gcm',
    'chacha20-poly1305': 'chacha20-poly1305',
  };
  return (names[key.type] ?? 'aes-256-gcm') as CipherGCMTypes;
}

function associatedData(item: Body): Buffer {
  const text = item['associated_data'];
  return typeof text === 'string' ? base64(text, 'failed to base64-decode associated_data') : Buffer.alloc(0);
}

function base64(text: string, message: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0 || bytes.toString('base64') !== text) {
    throw new VaultFault(400, [message]);
  }
  return bytes;
}
