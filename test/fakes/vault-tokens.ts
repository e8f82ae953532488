import { randomUUID } from 'node:crypto';

/** Capabilities by path; a path may end in `*` and may hold `+` for one segment. */
export type PolicyRules = Readonly<Record<string, readonly string[]>>;

export interface TokenOptions {
  readonly policies?: readonly string[];
  /** Seconds; 0 never expires. */
  readonly ttl?: number;
  /** Seconds since its creation up to which renewals are granted; 0 is no bound. */
  readonly maxTtl?: number;
  readonly renewable?: boolean;
}

export interface FakeToken {
  readonly id: string;
  readonly accessor: string;
  readonly policies: readonly string[];
  readonly createdAt: number;
  readonly ttl: number;
  readonly maxTtl: number;
  readonly renewable: boolean;
  expiresAt: number;
}

export interface FakeRole {
  readonly roleId: string;
  readonly secretIds: Set<string>;
  readonly token: TokenOptions;
}

const DEFAULT_POLICY: PolicyRules = {
  'auth/token/lookup-self': ['read'],
  'auth/token/renew-self': ['update'],
  'auth/token/revoke-self': ['update'],
  'sys/capabilities-self': ['update'],
};

/** Tokens, AppRoles and policies of the scripted Vault. */
export class FakeTokens {
  readonly roles = new Map<string, FakeRole>();
  private readonly tokens = new Map<string, FakeToken>();
  private readonly policies = new Map<string, PolicyRules>([['default', DEFAULT_POLICY]]);

  constructor(private readonly now: () => number) {}

  putPolicy(name: string, rules: PolicyRules): void {
    this.policies.set(name, rules);
  }

  create(options: TokenOptions = {}, id = `hvs.${randomUUID()}`): FakeToken {
    const ttl = options.ttl ?? 0;
    const token: FakeToken = {
      id,
      accessor: randomUUID(),
      policies: options.policies ?? ['default'],
      createdAt: this.now(),
      ttl,
      maxTtl: options.maxTtl ?? 0,
      renewable: options.renewable ?? ttl > 0,
      expiresAt: ttl === 0 ? Infinity : this.now() + ttl * 1000,
    };
    this.tokens.set(id, token);
    return token;
  }

  find(id: string | undefined): FakeToken | undefined {
    const token = id === undefined ? undefined : this.tokens.get(id);
    return token && this.now() < token.expiresAt ? token : undefined;
  }

  revoke(id: string): void {
    this.tokens.delete(id);
  }

  revokeAll(): void {
    this.tokens.clear();
  }

  /** Extends a token's life by its own TTL (or the increment asked for), never beyond its maximum age. */
  renew(token: FakeToken, increment: number): void {
    const wanted = this.now() + (increment > 0 ? increment : token.ttl) * 1000;
    token.expiresAt = token.maxTtl === 0 ? wanted : Math.min(wanted, token.createdAt + token.maxTtl * 1000);
  }

  secondsLeft(token: FakeToken): number {
    return token.expiresAt === Infinity ? 0 : Math.max(0, Math.floor((token.expiresAt - this.now()) / 1000));
  }

  capabilities(token: FakeToken, path: string): readonly string[] {
    if (token.policies.includes('root')) {
      return ['root'];
    }
    const granted = new Set(token.policies.flatMap((name) => ruleFor(this.policies.get(name) ?? {}, path)));
    return granted.has('deny') || granted.size === 0 ? ['deny'] : [...granted].sort();
  }

  allows(token: FakeToken, path: string, capability: string): boolean {
    const granted = this.capabilities(token, path);
    return granted.includes('root') || granted.includes(capability);
  }

  /** Whether the token may do anything at all below a mount, which is what lets it see the mount. */
  seesMount(token: FakeToken, mount: string): boolean {
    return (
      token.policies.includes('root') ||
      token.policies.some((name) =>
        Object.keys(this.policies.get(name) ?? {}).some((path) => path.startsWith(`${mount}/`)),
      )
    );
  }
}

/** The most specific rule wins, as in Vault: an exact path before a pattern, a longer pattern before a shorter one. */
function ruleFor(rules: PolicyRules, path: string): readonly string[] {
  const matching = Object.keys(rules)
    .filter((pattern) => matches(pattern, path))
    .sort((a, b) => Number(/[*+]/.test(a)) - Number(/[*+]/.test(b)) || b.length - a.length);
  return matching[0] === undefined ? [] : (rules[matching[0]] ?? []);
}

function matches(pattern: string, path: string): boolean {
  const source = pattern
    .replace(/[.^${}()|[\]\\]/g, '\\$&')
    .replaceAll('+', '[^/]+')
    .replace(/\*$/, '.*');
  return new RegExp(`^${source}$`).test(path);
}
