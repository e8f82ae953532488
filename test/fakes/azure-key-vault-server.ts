import {
  constants,
  createCipheriv,
  createDecipheriv,
  generateKeyPair,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
  type KeyObject,
} from 'node:crypto';
import { promisify } from 'node:util';
import { FakeEntra } from './azure-entra';
import { ScriptedServer, type ScriptedAnswer, type ScriptedRequest } from './scripted-server';

type Input = Readonly<Record<string, unknown>>;

interface Version {
  readonly id: string;
  readonly created: number;
  enabled: boolean;
  expires?: number;
  readonly material: KeyObject | Buffer;
}

interface VaultKey {
  readonly name: string;
  readonly kty: string;
  readonly keyOps: readonly string[];
  readonly versions: Version[];
  deletedAt?: number;
}

/** Where a scripted vault listens, and who signs in for it. */
export interface FakeKeyVaultOptions {
  readonly cert: string;
  readonly key: string;
  readonly port?: number;
  readonly entra?: FakeEntra;
}

/** An answer that the vault gives instead of a result. */
class VaultFault extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly inner?: string,
  ) {
    super(message);
  }
}

const API_VERSION = /^(?:7\.[4-6]|2025-\d\d-\d\d)$/;
const NAME = /^[0-9A-Za-z-]{1,127}$/;
const DAY = 86_400;
const PAGE = 3;
const KEY_WRAP_IV = Buffer.alloc(8, 0xa6);
/** Smaller than is asked for, and few that are handed out in turn, because tests make many. */
const RSA_BITS = 2048;
const RSA_PAIRS = 4;

const generatePair = promisify(generateKeyPair);
const pairs: Promise<KeyObject>[] = [];
let handedOut = 0;

/**
 * A scripted Azure Key Vault with its Entra ID behind the same https address: challenge, bearer tokens, versions with states
 * of their own, soft delete, pages, and real RSA-OAEP-256 and AES key wrap.
 */
export class FakeKeyVault {
  readonly server: ScriptedServer;
  readonly entra: FakeEntra;
  /** Days until a deleted key is purged. */
  recoverableDays = 90;
  recoveryLevel = 'Recoverable+Purgeable';
  private readonly keys = new Map<string, VaultKey>();
  private readonly denied = new Map<string, string>();

  constructor({ cert, key, port, entra = new FakeEntra() }: FakeKeyVaultOptions) {
    this.entra = entra;
    this.server = new ScriptedServer({ port, tls: { cert, key } }, (request) => this.handle(request));
  }

  get url(): string {
    return this.server.url;
  }

  async createKey(name: string, kty = 'RSA', keyOps: readonly string[] = ['wrapKey', 'unwrapKey']): Promise<void> {
    const key: VaultKey = { name, kty, keyOps, versions: [] };
    this.keys.set(name, key);
    await addVersion(key);
  }

  /** @param operation such as `wrapkey`, `get`, `list`; @param inner code of the refusal */
  deny(operation: string, inner = 'AccessDenied'): void {
    this.denied.set(operation, inner);
  }

  /** Lets the newest version of a key expire. */
  expire(name: string): void {
    newest(this.find(name)).expires = Math.floor(Date.now() / 1_000) - 60;
  }

  /** Adds a version and disables those before it, as somebody else might. */
  async replaceVersions(name: string): Promise<void> {
    const key = this.find(name);
    for (const version of key.versions) {
      version.enabled = false;
    }
    await addVersion(key);
  }

  versionCount(name: string): number {
    return this.find(name).versions.length;
  }

  close(): Promise<void> {
    return this.server.close();
  }

  private async handle(request: ScriptedRequest): Promise<ScriptedAnswer> {
    const signedIn = this.entra.answer(request, this.url);
    if (signedIn) {
      return signedIn;
    }
    if (!this.entra.accepts(request.headers.authorization)) {
      return this.challenge();
    }
    try {
      if (!API_VERSION.test(new URLSearchParams(request.query).get('api-version') ?? '')) {
        throw new VaultFault(400, 'BadParameter', 'The api-version is not supported');
      }
      return { status: 200, body: await this.route(request) };
    } catch (error) {
      if (!(error instanceof VaultFault)) {
        throw error;
      }
      const { status, code, message, inner } = error;
      return { status, body: { error: { code, message, ...(inner ? { innererror: { code: inner } } : {}) } } };
    }
  }

  private challenge(): ScriptedAnswer {
    const challenge = `Bearer authorization="${this.url}/${this.entra.tenantId}", resource="${this.entra.resource}"`;
    return {
      status: 401,
      headers: { 'www-authenticate': challenge },
      body: { error: { code: 'Unauthorized', message: 'AKV10000: Request is missing a Bearer or PoP token.' } },
    };
  }

  private async route({ method, path, query, body }: ScriptedRequest): Promise<unknown> {
    const [collection, name, version, operation] = path.split('/').slice(1).map(decodeURIComponent);
    const input = (body.length === 0 ? {} : JSON.parse(body.toString('utf8'))) as Input;
    const call = `${method} ${collection} ${[name, version, operation].filter((part) => part !== undefined && part !== '').length}`;
    switch (call) {
      case 'GET keys 0':
        return this.page(
          'list',
          query,
          `${this.url}/keys`,
          this.present().map((key) => this.item(key, newest(key))),
        );
      case 'GET deletedkeys 0':
        return this.page(
          'list',
          query,
          `${this.url}/deletedkeys`,
          this.deleted().map((key) => ({ ...this.item(key, newest(key)), ...this.deletion(key) })),
        );
      case 'GET deletedkeys 1':
        return this.bundle('get', this.findDeleted(name));
      case 'POST deletedkeys 2': {
        this.allow('recover');
        const key = this.findDeleted(name);
        delete key.deletedAt;
        return this.bundle('recover', key);
      }
      case 'DELETE keys 1': {
        this.allow('delete');
        const key = this.find(name);
        key.deletedAt = Math.floor(Date.now() / 1_000);
        return this.bundle('delete', key);
      }
      case 'GET keys 1':
        return this.bundle('get', this.find(name));
      case 'GET keys 2':
        return version === 'versions'
          ? this.page(
              'list',
              query,
              `${this.url}/keys/${name}/versions`,
              this.find(name).versions.map((each) => this.item(this.find(name), each)),
            )
          : this.bundle('get', this.find(name), this.findVersion(name, version));
      case 'PATCH keys 2':
        return this.update(name, version, input);
      case 'POST keys 2':
        return version === 'create' ? this.create(name, input) : this.rotate(name);
      case 'POST keys 3':
        return this.use(name, version, String(operation), input);
      default:
        throw new VaultFault(404, 'NotFound', `No such operation: ${call}`);
    }
  }

  private async create(name: string | undefined, input: Input): Promise<unknown> {
    this.allow('create');
    if (name === undefined || !NAME.test(name)) {
      throw new VaultFault(400, 'BadParameter', 'Property name has invalid value');
    }
    if (this.keys.get(name)?.deletedAt !== undefined) {
      const message = `Key ${name} is currently in a deleted but recoverable state`;
      throw new VaultFault(409, 'Conflict', message, 'ObjectIsDeletedButRecoverable');
    }
    const existing = this.keys.get(name);
    if (existing) {
      await addVersion(existing);
    } else {
      await this.createKey(name, String(input['kty']), (input['key_ops'] ?? []) as string[]);
    }
    return this.bundle('create', this.find(name));
  }

  private async rotate(name: string | undefined): Promise<unknown> {
    this.allow('rotate');
    await addVersion(this.find(name));
    return this.bundle('rotate', this.find(name));
  }

  private update(name: string | undefined, version: string | undefined, input: Input): unknown {
    this.allow('update');
    const found = this.findVersion(name, version);
    const { enabled } = (input['attributes'] ?? {}) as { enabled?: boolean };
    found.enabled = enabled ?? found.enabled;
    return this.bundle('update', this.find(name), found);
  }

  private use(name: string | undefined, version: string | undefined, operation: string, input: Input): unknown {
    this.allow(operation);
    const key = this.find(name);
    const found = this.findVersion(name, version);
    if (!found.enabled) {
      throw new VaultFault(403, 'Forbidden', `Operation ${operation} is not allowed on a disabled key.`, 'KeyDisabled');
    }
    if (operation === 'wrapkey' && found.expires !== undefined && found.expires * 1_000 < Date.now()) {
      throw new VaultFault(403, 'Forbidden', `Operation ${operation} is not allowed on an expired key.`, 'KeyExpired');
    }
    if (!key.keyOps.some((permitted) => permitted.toLowerCase() === operation)) {
      const message = `Operation ${operation} is not permitted on this key.`;
      throw new VaultFault(403, 'Forbidden', message, 'KeyOperationForbidden');
    }
    const value = Buffer.from(String(input['value']), 'base64url');
    try {
      const result = wrapOrUnwrap(operation, String(input['alg']), found.material, value);
      return { kid: this.kid(key, found), value: result.toString('base64url') };
    } catch {
      throw new VaultFault(400, 'BadParameter', 'The parameter is incorrect.');
    }
  }

  private bundle(operation: string, key: VaultKey, version = newest(key)): unknown {
    this.allow(operation);
    const { material } = version;
    return {
      key: {
        kid: this.kid(key, version),
        kty: key.kty,
        key_ops: key.keyOps,
        ...(Buffer.isBuffer(material) ? {} : publicPart(material)),
      },
      attributes: this.attributes(version),
      ...this.deletion(key),
    };
  }

  private item(key: VaultKey, version: Version): Input {
    return { kid: this.kid(key, version), attributes: this.attributes(version) };
  }

  private attributes({ enabled, created, expires }: Version): Input {
    const { recoveryLevel, recoverableDays } = this;
    return { enabled, created, updated: created, exp: expires, recoveryLevel, recoverableDays };
  }

  private deletion({ name, deletedAt }: VaultKey): Input {
    return deletedAt === undefined
      ? {}
      : {
          recoveryId: `${this.url}/deletedkeys/${name}`,
          deletedDate: deletedAt,
          scheduledPurgeDate: deletedAt + this.recoverableDays * DAY,
        };
  }

  private kid({ name }: VaultKey, { id }: Version): string {
    return `${this.url}/keys/${name}/${id}`;
  }

  /** Small pages, so that clients have to follow the links. */
  private page(operation: string, query: string, url: string, all: readonly unknown[]): unknown {
    this.allow(operation);
    const parameters = new URLSearchParams(query);
    const start = Number(parameters.get('$skiptoken') ?? 0);
    const end = start + PAGE;
    const next = `${url}?api-version=${parameters.get('api-version') ?? ''}&$skiptoken=${end}`;
    return { value: all.slice(start, end), nextLink: end < all.length ? next : null };
  }

  private present(): VaultKey[] {
    return [...this.keys.values()].filter(({ deletedAt }) => deletedAt === undefined);
  }

  private deleted(): VaultKey[] {
    return [...this.keys.values()].filter(({ deletedAt }) => deletedAt !== undefined);
  }

  private find(name: string | undefined): VaultKey {
    const key = this.keys.get(name ?? '');
    if (!key || key.deletedAt !== undefined) {
      throw new VaultFault(404, 'KeyNotFound', `A key with (name/id) ${name} was not found in this key vault.`);
    }
    return key;
  }

  private findDeleted(name: string | undefined): VaultKey {
    const key = this.keys.get(name ?? '');
    if (key?.deletedAt === undefined) {
      throw new VaultFault(404, 'KeyNotFound', `Deleted Key not found: ${name}`);
    }
    return key;
  }

  private findVersion(name: string | undefined, id: string | undefined): Version {
    const version = this.find(name).versions.find((each) => each.id === id);
    if (!version) {
      throw new VaultFault(404, 'KeyNotFound', `A key with (name/id) ${name}/${id} was not found in this key vault.`);
    }
    return version;
  }

  private allow(operation: string): void {
    const inner = this.denied.get(operation);
    if (inner !== undefined) {
      const message = `The user, group or application does not have keys ${operation} permission on key vault`;
      throw new VaultFault(403, 'Forbidden', message, inner);
    }
  }
}

/** Starts a scripted Key Vault. */
export async function startKeyVault(options: FakeKeyVaultOptions): Promise<FakeKeyVault> {
  const fake = new FakeKeyVault(options);
  await fake.server.listen();
  return fake;
}

async function addVersion(key: VaultKey): Promise<void> {
  const material = key.kty.startsWith('oct') ? randomBytes(32) : await rsaKey();
  const created = Math.floor(Date.now() / 1_000);
  key.versions.push({ id: randomBytes(16).toString('hex'), created, enabled: true, material });
}

function rsaKey(): Promise<KeyObject> {
  const at = handedOut++ % RSA_PAIRS;
  pairs[at] ??= generatePair('rsa', { modulusLength: RSA_BITS }).then(({ privateKey }) => privateKey);
  return pairs[at];
}

function newest(key: VaultKey): Version {
  return key.versions.at(-1) as Version;
}

function publicPart(key: KeyObject): { readonly n?: string; readonly e?: string } {
  const { n, e } = key.export({ format: 'jwk' });
  return { n, e };
}

function wrapOrUnwrap(operation: string, algorithm: string, material: KeyObject | Buffer, value: Buffer): Buffer {
  if (Buffer.isBuffer(material)) {
    return algorithm === 'A256KW' ? keyWrap(operation, material, value) : refuse();
  }
  const options = { key: material, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' };
  if (algorithm !== 'RSA-OAEP-256') {
    return refuse();
  }
  return operation === 'wrapkey' ? publicEncrypt(options, value) : privateDecrypt(options, value);
}

function keyWrap(operation: string, key: Buffer, value: Buffer): Buffer {
  const cipher =
    operation === 'wrapkey'
      ? createCipheriv('id-aes256-wrap', key, KEY_WRAP_IV)
      : createDecipheriv('id-aes256-wrap', key, KEY_WRAP_IV);
  return Buffer.concat([cipher.update(value), cipher.final()]);
}

function refuse(): never {
  throw new Error('The algorithm does not fit the key');
}
