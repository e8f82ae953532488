import { createCipheriv, createDecipheriv, createHash, randomBytes, X509Certificate } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { drip } from './drip';

/** How the scripted KES starts. */
export interface FakeKesOptions {
  /** Certificate of the server, PEM. */
  readonly cert: string;
  readonly key: string;
  /** 0, the default, lets the operating system choose. */
  readonly port?: number;
  /** The identity that may do anything. */
  readonly admin?: string;
}

/** Globs of API paths, as in a policy of KES. */
export interface KesPolicy {
  readonly allow: readonly string[];
  readonly deny?: readonly string[];
}

export type KesFault =
  | { readonly type: 'status'; readonly status: number; readonly message?: string }
  | { readonly type: 'answer'; readonly status: number; readonly text: string }
  /** Never answers. */
  | { readonly type: 'hang' }
  /** Answers a byte at a time, without end. */
  | { readonly type: 'drip' }
  | { readonly type: 'reset' };

/** The handle tests hold on a running scripted KES. */
export interface FakeKes {
  readonly url: string;
  /** `METHOD /path` of every request in order of arrival. */
  readonly requests: readonly string[];
  createKey(name: string): void;
  deleteKey(name: string): void;
  keyNames(): string[];
  assign(identity: string, policy: KesPolicy): void;
  /** The store behind KES cannot be reached. */
  setKeyStoreDown(down: boolean): void;
  inject(fault: KesFault, path: RegExp, times?: number): void;
  clearFaults(): void;
  close(): Promise<void>;
}

class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

interface Key {
  readonly material: Buffer;
  readonly createdAt: string;
  readonly createdBy: string;
}

const NAME = /^(?!_$)\w(?:[\w-]{0,78}\w)?$/;
const PATTERN = /^(\*|(?!_$)(\w(?:[\w-]*\w)?)?\*?)$/;
const NOT_ALLOWED = new Refusal(403, 'not authorized: insufficient permissions');
const NOT_AUTHENTIC = new Refusal(400, 'decryption failed: ciphertext is not authentic');
const KEY_METHODS: Readonly<Record<string, string>> = {
  create: 'PUT',
  import: 'PUT',
  generate: 'PUT',
  encrypt: 'PUT',
  decrypt: 'PUT',
  describe: 'GET',
  list: 'GET',
  delete: 'DELETE',
};

/** Starts a scripted KES: mutual TLS, identities, policies, and the key API as KES serves it. */
export async function startKesServer(options: FakeKesOptions): Promise<FakeKes> {
  const kes = new KesServer(options);
  await kes.listen();
  return kes;
}

class KesServer implements FakeKes {
  url = '';
  readonly requests: string[] = [];
  private readonly server: Server;
  private readonly keys = new Map<string, Key>();
  private readonly policies = new Map<string, KesPolicy>();
  private faults: { readonly fault: KesFault; readonly path: RegExp; left: number }[] = [];
  private keyStoreDown = false;

  constructor(private readonly options: FakeKesOptions) {
    const { cert, key } = options;
    this.server = createServer(
      { cert, key, requestCert: true, rejectUnauthorized: false, minVersion: 'TLSv1.2' },
      (request, response) => void this.handle(request, response),
    );
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(this.options.port ?? 0, '127.0.0.1', resolve);
    });
    this.url = `https://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  createKey(name: string): void {
    this.keys.set(name, { material: randomBytes(32), createdAt: new Date().toISOString(), createdBy: '' });
  }

  deleteKey(name: string): void {
    this.keys.delete(name);
  }

  keyNames(): string[] {
    return [...this.keys.keys()];
  }

  assign(identity: string, policy: KesPolicy): void {
    this.policies.set(identity, policy);
  }

  setKeyStoreDown(down: boolean): void {
    this.keyStoreDown = down;
  }

  inject(fault: KesFault, path: RegExp, times = Infinity): void {
    this.faults.push({ fault, path, left: times });
  }

  clearFaults(): void {
    this.faults = [];
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '/';
    this.requests.push(`${request.method ?? ''} ${path}`);
    try {
      const body = await readBody(request);
      if (!this.strike(path, response)) {
        reply(response, 200, this.route(request, path, body));
      }
    } catch (error) {
      const refusal = error instanceof Refusal ? error : new Refusal(500, 'internal error');
      reply(response, refusal.status, { message: refusal.message });
    }
  }

  private strike(path: string, response: ServerResponse): boolean {
    const entry = this.faults.find((each) => each.left > 0 && each.path.test(path));
    if (!entry) {
      return false;
    }
    entry.left--;
    const { fault } = entry;
    switch (fault.type) {
      case 'status':
        reply(response, fault.status, { message: fault.message ?? '' });
        return true;
      case 'answer':
        response.writeHead(fault.status).end(fault.text);
        return true;
      case 'hang':
        return true;
      case 'drip':
        drip(response);
        return true;
      case 'reset':
        response.socket?.destroy();
        return true;
    }
  }

  private route(request: IncomingMessage, path: string, body: Readonly<Record<string, unknown>>): unknown {
    const identity = identify(request);
    if (path === '/version') {
      expectMethod(request, 'GET');
      return { version: 'v0.0.0-scripted', commit: '' };
    }
    if (path === '/v1/identity/self/describe') {
      expectMethod(request, 'GET');
      return this.describeSelf(identity);
    }
    this.authorise(identity, path);
    if (path === '/v1/status') {
      expectMethod(request, 'GET');
      return {
        version: 'v0.0.0-scripted',
        ...(this.keyStoreDown ? { keystore_unreachable: true } : { keystore_latency: 1 }),
      };
    }
    const [, verb = '', name = ''] = /^\/v1\/key\/(\w+)\/(.*)$/.exec(path) ?? [];
    const method = KEY_METHODS[verb];
    if (method === undefined) {
      throw new Refusal(404, '404 page not found');
    }
    expectMethod(request, method);
    if (!(verb === 'list' ? PATTERN : NAME).test(name)) {
      throw new Refusal(400, `key name '${name}' is empty, too long or contains invalid characters`);
    }
    if (this.keyStoreDown) {
      throw new Refusal(502, 'failed to read key');
    }
    return this.keyOperation(verb, name, identity, body);
  }

  private keyOperation(verb: string, name: string, identity: string, body: Readonly<Record<string, unknown>>): unknown {
    switch (verb) {
      case 'create':
        return this.insert(name, randomBytes(32), identity);
      case 'import': {
        const material = bytesOf(body['key']);
        if (body['cipher'] !== 'AES256' || material.length !== 32) {
          throw new Refusal(406, "invalid key size for 'AES256'");
        }
        return this.insert(name, material, identity);
      }
      case 'list': {
        const prefix = name === '*' ? '' : name;
        return { names: [...this.keys.keys()].filter((key) => key.startsWith(prefix)).sort(), continue_at: '' };
      }
      case 'describe': {
        const { createdAt, createdBy } = this.find(name);
        return { name, algorithm: 'AES256', created_at: createdAt, created_by: createdBy };
      }
      case 'delete':
        this.find(name);
        this.keys.delete(name);
        return undefined;
      case 'generate': {
        const plaintext = randomBytes(32);
        const ciphertext = wrap(this.find(name), plaintext, bytesOf(body['context']));
        return { plaintext: plaintext.toString('base64'), ciphertext: ciphertext.toString('base64') };
      }
      case 'encrypt':
        return {
          ciphertext: wrap(this.find(name), bytesOf(body['plaintext']), bytesOf(body['context'])).toString('base64'),
        };
      default: {
        const plaintext = unwrap(this.find(name), bytesOf(body['ciphertext']), bytesOf(body['context']));
        return { plaintext: plaintext.toString('base64') };
      }
    }
  }

  /** As KES of 2025 does: it finds nobody but the administrator. */
  private describeSelf(identity: string): unknown {
    if (identity !== this.options.admin) {
      throw new Refusal(404, 'identity does not exist');
    }
    return { identity, admin: true, created_at: new Date().toISOString() };
  }

  private authorise(identity: string, path: string): void {
    if (identity === this.options.admin) {
      return;
    }
    const policy = this.policies.get(identity);
    const matches = (globs: readonly string[] = []): boolean => globs.some((glob) => globMatches(glob, path));
    if (!policy || matches(policy.deny) || !matches(policy.allow)) {
      throw NOT_ALLOWED;
    }
  }

  private insert(name: string, material: Buffer, createdBy: string): undefined {
    if (this.keys.has(name)) {
      throw new Refusal(400, 'key already exists');
    }
    this.keys.set(name, { material, createdAt: new Date().toISOString(), createdBy });
    return undefined;
  }

  private find(name: string): Key {
    const key = this.keys.get(name);
    if (!key) {
      throw new Refusal(404, 'key does not exist');
    }
    return key;
  }
}

/** @returns hex SHA-256 of the public key of the client's certificate */
function identify(request: IncomingMessage): string {
  const raw = (request.socket as TLSSocket).getPeerCertificate(true).raw as Buffer | undefined;
  if (!raw) {
    throw new Refusal(400, 'tls: client certificate is required');
  }
  const { publicKey } = new X509Certificate(raw);
  return createHash('sha256')
    .update(publicKey.export({ format: 'der', type: 'spki' }))
    .digest('hex');
}

function expectMethod(request: IncomingMessage, method: string): void {
  if (request.method !== method && !(request.method === 'POST' && method === 'PUT')) {
    throw new Refusal(405, `received method '${request.method ?? ''}' expected '${method}'`);
  }
}

/** A star at the end stands for anything. */
function globMatches(glob: string, path: string): boolean {
  return glob.endsWith('*') ? path.startsWith(glob.slice(0, -1)) : path === glob;
}

/** Ciphertext ‖ tag ‖ 16 random bytes that choose the key of this wrap ‖ nonce (12), as KES lays it out. */
function wrap({ material }: Key, plaintext: Buffer, context: Buffer): Buffer {
  const [iv, nonce] = [randomBytes(16), randomBytes(12)];
  const cipher = createCipheriv('aes-256-gcm', wrapKey(material, iv), nonce);
  cipher.setAAD(context);
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag(), iv, nonce]);
}

function unwrap({ material }: Key, ciphertext: Buffer, context: Buffer): Buffer {
  if (ciphertext.length < 44) {
    throw NOT_AUTHENTIC;
  }
  const at = ciphertext.length - 28;
  const decipher = createDecipheriv(
    'aes-256-gcm',
    wrapKey(material, ciphertext.subarray(at, at + 16)),
    ciphertext.subarray(at + 16),
  );
  decipher.setAAD(context);
  decipher.setAuthTag(ciphertext.subarray(at - 16, at));
  try {
    return Buffer.concat([decipher.update(ciphertext.subarray(0, at - 16)), decipher.final()]);
  } catch {
    throw NOT_AUTHENTIC;
  }
}

function wrapKey(material: Buffer, iv: Buffer): Buffer {
  return createHash('sha256').update(material).update(iv).digest();
}

/** Go refuses base64 that is not canonical. */
function bytesOf(value: unknown): Buffer {
  if (value === undefined || value === null) {
    return Buffer.alloc(0);
  }
  const bytes = typeof value === 'string' ? Buffer.from(value, 'base64') : undefined;
  if (!bytes || bytes.toString('base64') !== value) {
    throw new Refusal(400, 'invalid request body');
  }
  return bytes;
}

async function readBody(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) {
    chunks.push(chunk as Buffer);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  try {
    return text === '' ? {} : (JSON.parse(text) as Readonly<Record<string, unknown>>);
  } catch {
    throw new Refusal(400, 'invalid request body');
  }
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  if (response.destroyed) {
    return;
  }
  response.setHeader('Content-Type', 'application/json');
  response.writeHead(status).end(body === undefined ? undefined : JSON.stringify(body));
}
