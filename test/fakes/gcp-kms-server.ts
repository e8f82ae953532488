import {
  addVersion,
  decryptWith,
  encryptWith,
  GcpFault,
  newGcpKey,
  requireEnabledVersion,
  showKey,
  showVersion,
  VERSION_STATE,
  type GcpFakeKey,
  type GcpFakeVersion,
  type Json,
} from './gcp-kms-keys';
import { GcpTokens } from './gcp-tokens';
import {
  ScriptedServer,
  type ScriptedAnswer,
  type ScriptedRequest,
  type ScriptedServerOptions,
} from './scripted-server';

const RING = 'projects/fake-project/locations/europe-west3/keyRings/ring';
const RING_PATH = /^\/v1\/(projects\/[^/]+\/locations\/[^/]+\/keyRings\/[^/:]+)/;
const ENCODING = '$alt=json%3Benum-encoding=int';
const PAGE = 3;

/** Where a request leads: what follows the ring in its path, the query without what every request has, the body. */
interface Call {
  readonly verb: string;
  readonly path: string;
  readonly ring: string;
  readonly query: URLSearchParams;
  readonly input: Json;
}

export interface FakeGcpKmsOptions extends ScriptedServerOptions {
  /** Gives the service account a key that no other server of this process knows. */
  readonly ownServiceAccountKey?: boolean;
}

interface Route {
  readonly pattern: RegExp;
  /** The permission that IAM asks for. */
  readonly permission: string | undefined;
  /** Members that the body may have. */
  readonly members?: readonly string[];
  readonly parameters?: readonly string[];
  run(call: Call, key: GcpFakeKey, version: GcpFakeVersion): unknown;
}

/**
 * A scripted Cloud KMS: its REST mapping (v1), tokens verified, permissions by method, key rings, keys and versions with
 * their states, and checksums. It refuses members, parameters and transitions that it does not know.
 */
export class FakeGcpKms {
  readonly server: ScriptedServer;
  readonly tokens: GcpTokens;
  readonly project = 'fake-project';
  readonly location = 'europe-west3';
  readonly keyRing = 'ring';
  private readonly keys = new Map<string, GcpFakeKey>();
  private readonly denied = new Set<string>();
  private readonly routes: readonly Route[];

  constructor({ ownServiceAccountKey, ...options }: FakeGcpKmsOptions = {}) {
    this.tokens = new GcpTokens(ownServiceAccountKey);
    this.server = new ScriptedServer(options, (request) => this.handle(request));
    this.routes = this.makeRoutes();
  }

  get url(): string {
    return this.server.url;
  }

  /** @param name in the ring @returns its full resource name */
  createKey(name: string, purpose?: number): string {
    const key = newGcpKey(`${RING}/cryptoKeys/${name}`, 1, purpose);
    this.keys.set(key.name, key);
    return key.name;
  }

  /** Has the key rotated by itself. @param seconds between two rotations @param next RFC 3339 */
  setRotation(name: string, seconds: number, next: string): void {
    this.key(`${RING}/cryptoKeys/${name}`).rotation = { seconds, next };
  }

  /** @param seconds how long versions of the key wait for their destruction */
  setDestroyWait(name: string, seconds: number): void {
    this.key(`${RING}/cryptoKeys/${name}`).destroyWait = seconds;
  }

  /** Ends the wait of every version. */
  destroyVersions(name: string): void {
    this.key(`${RING}/cryptoKeys/${name}`).versions.forEach((version) => (version.state = 'DESTROYED'));
  }

  /** @param permission such as `cloudkms.cryptoKeys.list` */
  deny(...permissions: readonly string[]): void {
    permissions.forEach((permission) => this.denied.add(permission));
  }

  close(): Promise<void> {
    return this.server.close();
  }

  private handle(request: ScriptedRequest): ScriptedAnswer {
    if (request.path === '/v1/token') {
      return this.tokens.exchange(request);
    }
    try {
      return { status: 200, body: this.dispatch(request) };
    } catch (error) {
      if (error instanceof GcpFault) {
        const { http, status, message } = error;
        return { status: http, body: { error: { code: http, status, message } } };
      }
      throw error;
    }
  }

  private dispatch({ method, path, query, headers, body }: ScriptedRequest): unknown {
    if (!this.tokens.accepts(headers.authorization)) {
      throw new GcpFault(401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials.');
    }
    const ring = RING_PATH.exec(path)?.[1] ?? '';
    const rest = path.slice(`/v1/${ring}`.length);
    const route = this.routes.find(({ pattern }) => pattern.test(`${method} ${rest}`));
    if (ring === '' || !route || !query.split('&').includes(ENCODING)) {
      throw new GcpFault(404, 'NOT_FOUND', `Unknown: ${method} ${path}?${query}`);
    }
    const call = { verb: method, path: rest, ring, query: parameters(query, route), input: members(body, route) };
    if (route.permission !== undefined && this.denied.has(route.permission)) {
      throw new GcpFault(
        403,
        'PERMISSION_DENIED',
        `Permission '${route.permission}' denied on resource '${ring}' (or it may not exist).`,
      );
    }
    const [, keyName, number] = /^\/cryptoKeys\/([^/:]+)(?:\/cryptoKeyVersions\/(\d+))?/.exec(rest) ?? [];
    if (keyName === undefined || rest.endsWith(':testIamPermissions')) {
      return route.run(call, undefined as never, undefined as never);
    }
    const key = this.key(`${ring}/cryptoKeys/${keyName}`);
    return route.run(call, key, number === undefined ? key.primary : versionOf(key, number));
  }

  private makeRoutes(): readonly Route[] {
    const cryptographic = ['additionalAuthenticatedData', 'additionalAuthenticatedDataCrc32c'];
    return [
      {
        pattern: /^POST .*:testIamPermissions$/,
        permission: undefined,
        members: ['permissions'],
        run: ({ input, ring, path }) => this.permissionsOf(`${ring}${path.replace(/:.*/, '')}`, input),
      },
      {
        pattern: /^POST \/cryptoKeys\/[^/]+:encrypt$/,
        permission: 'cloudkms.cryptoKeyVersions.useToEncrypt',
        members: ['plaintext', 'plaintextCrc32c', ...cryptographic],
        run: ({ input }, key) => encryptWith(key, input),
      },
      {
        pattern: /^POST \/cryptoKeys\/[^/]+:decrypt$/,
        permission: 'cloudkms.cryptoKeyVersions.useToDecrypt',
        members: ['ciphertext', 'ciphertextCrc32c', ...cryptographic],
        run: ({ input }, key) => decryptWith(key, input),
      },
      {
        pattern: /^GET \/cryptoKeys$/,
        permission: 'cloudkms.cryptoKeys.list',
        parameters: ['pageSize', 'pageToken'],
        run: ({ query, ring }) =>
          page(
            query,
            [...this.keys.values()].filter(({ name }) => name.startsWith(`${ring}/`)),
            'cryptoKeys',
            showKey,
          ),
      },
      {
        pattern: /^POST \/cryptoKeys$/,
        permission: 'cloudkms.cryptoKeys.create',
        parameters: ['cryptoKeyId'],
        members: ['labels', 'purpose', 'versionTemplate'],
        run: (call) => this.create(call),
      },
      {
        pattern: /^GET \/cryptoKeys\/[^/]+$/,
        permission: 'cloudkms.cryptoKeys.get',
        run: (_call, key) => showKey(key),
      },
      {
        pattern: /^POST \/cryptoKeys\/[^/]+:updatePrimaryVersion$/,
        permission: 'cloudkms.cryptoKeys.update',
        members: ['cryptoKeyVersionId'],
        run: ({ input }, key) => {
          const version = versionOf(key, String(input['cryptoKeyVersionId']));
          requireEnabledVersion(version);
          key.primary = version;
          return showKey(key);
        },
      },
      {
        pattern: /^GET \/cryptoKeys\/[^/]+\/cryptoKeyVersions$/,
        permission: 'cloudkms.cryptoKeyVersions.list',
        parameters: ['pageSize', 'pageToken'],
        run: ({ query }, key) => page(query, key.versions, 'cryptoKeyVersions', (version) => showVersion(key, version)),
      },
      {
        pattern: /^POST \/cryptoKeys\/[^/]+\/cryptoKeyVersions$/,
        permission: 'cloudkms.cryptoKeyVersions.create',
        members: [],
        run: (_call, key) => showVersion(key, addVersion(key)),
      },
      {
        pattern: /^GET \/cryptoKeys\/[^/]+\/cryptoKeyVersions\/\d+$/,
        permission: 'cloudkms.cryptoKeyVersions.get',
        run: (_call, key, version) => {
          // Made by the time somebody asks again.
          version.state = version.state === 'PENDING_GENERATION' ? 'ENABLED' : version.state;
          return showVersion(key, version);
        },
      },
      {
        pattern: /^PATCH \/cryptoKeys\/[^/]+\/cryptoKeyVersions\/\d+$/,
        permission: 'cloudkms.cryptoKeyVersions.update',
        parameters: ['updateMask'],
        members: ['state'],
        run: ({ input, query }, key, version) => {
          const state = input['state'] === VERSION_STATE.ENABLED ? 'ENABLED' : 'DISABLED';
          if (query.get('updateMask') !== 'state' || !['ENABLED', 'DISABLED'].includes(version.state)) {
            throw new GcpFault(400, 'FAILED_PRECONDITION', `${version.name} cannot become ${state}.`);
          }
          version.state = state;
          return showVersion(key, version);
        },
      },
      {
        pattern: /^POST \/cryptoKeys\/[^/]+\/cryptoKeyVersions\/\d+:destroy$/,
        permission: 'cloudkms.cryptoKeyVersions.destroy',
        members: [],
        run: (_call, key, version) => {
          version.state = 'DESTROY_SCHEDULED';
          version.destroyTime = new Date(Date.now() + key.destroyWait * 1_000).toISOString();
          return showVersion(key, version);
        },
      },
      {
        pattern: /^POST \/cryptoKeys\/[^/]+\/cryptoKeyVersions\/\d+:restore$/,
        permission: 'cloudkms.cryptoKeyVersions.restore',
        members: [],
        run: (_call, key, version) => {
          if (version.state !== 'DESTROY_SCHEDULED') {
            throw new GcpFault(400, 'FAILED_PRECONDITION', `${version.name} is ${version.state}.`);
          }
          version.state = 'DISABLED';
          delete version.destroyTime;
          return showVersion(key, version);
        },
      },
    ];
  }

  private create({ ring, query, input }: Call): unknown {
    const name = query.get('cryptoKeyId') ?? '';
    const { protectionLevel, algorithm } = input['versionTemplate'] as { protectionLevel?: number; algorithm?: number };
    if (!/^[A-Za-z0-9_-]{1,63}$/.test(name) || input['purpose'] !== 1 || algorithm !== 1) {
      throw new GcpFault(400, 'INVALID_ARGUMENT', 'Not a symmetric key of that name.');
    }
    const full = `${ring}/cryptoKeys/${name}`;
    if (ring !== RING) {
      throw new GcpFault(404, 'NOT_FOUND', `KeyRing ${ring} not found.`);
    }
    if (this.keys.has(full)) {
      throw new GcpFault(409, 'ALREADY_EXISTS', `CryptoKey ${full} already exists.`);
    }
    const key = newGcpKey(full, protectionLevel);
    this.keys.set(full, key);
    return showKey(key);
  }

  /** Nothing for what does not exist, as IAM does. */
  private permissionsOf(resource: string, input: Json): unknown {
    const known = resource === RING || this.keys.has(resource);
    const wanted = input['permissions'] as readonly string[];
    const permissions = known ? wanted.filter((each) => !this.denied.has(each)) : [];
    return permissions.length === 0 ? {} : { permissions };
  }

  private key(name: string): GcpFakeKey {
    const key = this.keys.get(name);
    if (!key) {
      throw new GcpFault(404, 'NOT_FOUND', `CryptoKey ${name} not found.`);
    }
    return key;
  }
}

/** Starts a scripted Cloud KMS. */
export async function startGcpKmsServer(options: FakeGcpKmsOptions = {}): Promise<FakeGcpKms> {
  const fake = new FakeGcpKms(options);
  await fake.server.listen();
  return fake;
}

function versionOf(key: GcpFakeKey, number: string): GcpFakeVersion {
  const version = key.versions[Number(number) - 1];
  if (!version) {
    throw new GcpFault(404, 'NOT_FOUND', `CryptoKeyVersion ${key.name}/cryptoKeyVersions/${number} not found.`);
  }
  return version;
}

function parameters(query: string, route: Route): URLSearchParams {
  const given = new URLSearchParams(query);
  given.delete('$alt');
  const stranger = [...given.keys()].find((name) => !(route.parameters ?? []).includes(name));
  if (stranger !== undefined) {
    throw new GcpFault(400, 'INVALID_ARGUMENT', `Unknown parameter ${stranger}`);
  }
  return given;
}

function members(body: Buffer, route: Route): Json {
  if (route.members === undefined) {
    return {};
  }
  const input = JSON.parse(body.toString('utf8')) as unknown;
  if (typeof input !== 'object' || input === null) {
    throw new GcpFault(400, 'INVALID_ARGUMENT', 'Invalid JSON payload received. The root element must be a message.');
  }
  const stranger = Object.keys(input).find((member) => !route.members?.includes(member));
  if (stranger !== undefined) {
    throw new GcpFault(400, 'INVALID_ARGUMENT', `Invalid JSON payload received. Unknown name "${stranger}"`);
  }
  return input as Json;
}

/** Small pages, so that clients have to follow the tokens. */
function page<T>(query: URLSearchParams, all: readonly T[], member: string, show: (entry: T) => unknown): unknown {
  const start = Number(query.get('pageToken') ?? 0);
  const end = start + Math.min(Number(query.get('pageSize') ?? 100), PAGE);
  return {
    [member]: all.slice(start, end).map(show),
    totalSize: all.length,
    ...(end < all.length ? { nextPageToken: String(end) } : {}),
  };
}
