import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Database } from '../database/database';
import { ROOT_KEY } from '../settings/root-key';
import { Settings } from '../settings/settings';
import { ACCESS_KEY_ID, ownerIdOf, secretsEqual, TEMPORARY_KEY_ID } from './credential-format';
import { ENTITY_NAME } from './entity-name';
import { IdentityRepository } from './identity.repository';
import type { AccessDecision, AccessRequest, Credential, IdentityServiceContract, Principal } from './identity.types';
import { isUsable, type KnownCredential, openAccessKey, openSession, ROOT_NAME } from './known-credential';
import { checkBucketPolicy, invalidPrincipal } from './bucket-policy-check';
import { evaluateAccess, type NamedPolicy, type PolicySet } from './policy-evaluator';
import { isPublicPolicy } from './policy-publicity';
import { withPrincipalConditions } from './principal-conditions';
import { ensureRootCredentials } from './root-credentials';
import { compileStoredPolicy } from './stored-policy';
import { TimedCache } from './timed-cache';

/** Notifications on this channel drop every process's cached identities; the payload is ignored. */
export const IDENTITY_CHANNEL = 'strongroom_identity';

/** Bounds how long a revoked key may live on in a process whose notification was lost. */
const CACHE_LIFETIME_MS = 10_000;
const CACHE_CAPACITY = 10_000;
const BUCKET_POLICY_CAPACITY = 1_000;

/** Finds credentials and decides access for every face of the program. */
@Injectable()
export class IdentityService implements IdentityServiceContract, OnModuleInit, OnModuleDestroy {
  private readonly keys = new TimedCache<KnownCredential | undefined>(CACHE_LIFETIME_MS, CACHE_CAPACITY);
  private readonly userPolicies = new TimedCache<readonly NamedPolicy[]>(CACHE_LIFETIME_MS, CACHE_CAPACITY);
  private readonly bucketPolicies = new LRUCache<string, NamedPolicy>({ max: BUCKET_POLICY_CAPACITY });
  private root: Credential | undefined;
  private stopListening: (() => Promise<void>) | undefined;

  constructor(
    private readonly database: Database,
    private readonly repository: IdentityRepository,
    private readonly settings: Settings,
    @Inject(ROOT_KEY) private readonly rootKey: Buffer,
  ) {}

  async onModuleInit(): Promise<void> {
    const root = await ensureRootCredentials(this.database, this.rootKey, this.settings);
    this.root = {
      accessKeyId: root.accessKeyId,
      secretKey: root.secretKey,
      principal: { kind: 'root', name: ROOT_NAME, accessKeyId: root.accessKeyId, ownerId: ownerIdOf(ROOT_NAME) },
      status: 'enabled',
    };
    await this.repository.storeCannedPolicies();
    const forget = (): void => this.invalidate();
    this.stopListening = await this.database.listen(IDENTITY_CHANNEL, forget, forget);
  }

  async onModuleDestroy(): Promise<void> {
    await this.stopListening?.();
  }

  /** The access key id of root, which no other key may take. */
  get rootAccessKeyId(): string {
    return this.requireRoot().accessKeyId;
  }

  /** Forgets everything cached in this process, after a change made here. */
  invalidate(): void {
    this.keys.clear();
    this.userPolicies.clear();
  }

  async findCredential(accessKeyId: string): Promise<Credential | undefined> {
    const root = this.requireRoot();
    if (accessKeyId === root.accessKeyId) {
      return root;
    }
    const known = ACCESS_KEY_ID.test(accessKeyId) ? await this.knownKey(accessKeyId) : undefined;
    if (known === undefined) {
      return undefined;
    }
    // That a session has expired is told apart from all else that can be wrong with it, by whoever checks its token.
    return isUsable(known) || known.credential.session !== undefined
      ? known.credential
      : { ...known.credential, status: 'disabled' };
  }

  /**
   * Checks an access key id and secret as HTTP Basic carries them, which has no place for the token of a temporary
   * credential. Takes the same work whether the key exists or not.
   *
   * @returns undefined when they do not belong together or the key is disabled
   */
  async checkSecret(accessKeyId: string, secretKey: string): Promise<Principal | undefined> {
    const credential = await this.findCredential(accessKeyId);
    const matches = secretsEqual(secretKey, credential?.secretKey.reveal() ?? '');
    const usable = credential?.status === 'enabled' && credential.session === undefined;
    return matches && usable ? credential.principal : undefined;
  }

  async authorize(request: AccessRequest, bucketPolicy?: string): Promise<AccessDecision> {
    if (request.principal.kind === 'root' && bucketPolicy === undefined) {
      return { allowed: true, reason: 'root' };
    }
    const compiled =
      bucketPolicy === undefined ? undefined : this.compileBucketPolicy(bucketPolicy, bucketOf(request.resource));
    const policies = await this.policySet(request.principal, compiled);
    if (policies === undefined) {
      return { allowed: false, reason: 'unknown-principal' };
    }
    return evaluateAccess({ ...request, conditions: withPrincipalConditions(request, new Date()) }, policies);
  }

  /**
   * Whether any policy of the caller has a condition on a key that begins so; values that cost a look-up are fetched only
   * then.
   * @param prefix in lower case, e.g. `s3:existingobjecttag/`
   */
  async asksFor(principal: Principal, prefix: string): Promise<boolean> {
    const policies = await this.policySet(principal, undefined);
    return [...(policies?.identityPolicies ?? []), ...(policies?.sessionPolicies ?? []).flat()].some((named) =>
      named.policy.statements.some(({ conditions }) =>
        conditions.some(({ key }) => key.toLowerCase().startsWith(prefix)),
      ),
    );
  }

  /** Whether a bucket policy is public, as {@link isPublicPolicy} reckons. @param document its JSON */
  isPublic(document: string, bucket: string): boolean {
    return isPublicPolicy(this.compileBucketPolicy(document, bucket).policy);
  }

  /**
   * Checks a bucket policy that is to be set, and that all users it names exist.
   * @throws IdentityError `MalformedPolicyDocument` with AWS's text
   */
  async checkBucketPolicy(document: string, bucket: string): Promise<void> {
    const { statements } = checkBucketPolicy(document, bucket);
    const userNames = new Set(statements.flatMap(({ principals }) => [...(principals?.userNames ?? [])]));
    const ownerIds = new Set(statements.flatMap(({ principals }) => [...(principals?.ownerIds ?? [])]));
    userNames.delete(ROOT_NAME);
    ownerIds.delete(this.requireRoot().principal.ownerId);
    const missing =
      [...userNames].find((name) => !ENTITY_NAME.test(name)) ??
      (await this.repository.findMissingUser([...userNames], [...ownerIds]));
    if (missing !== undefined) {
      throw invalidPrincipal(missing);
    }
  }

  /** Whether a canonical id is that of root or of a user. */
  async knowsOwner(ownerId: string): Promise<boolean> {
    return ownerId === this.requireRoot().principal.ownerId || (await this.repository.findOwner(ownerId)) !== undefined;
  }

  /** The principal of a user by name, as if it had signed without any access key; for policy simulation. */
  async findPrincipal(userName: string): Promise<Principal | undefined> {
    const user = await this.repository.findUser(userName);
    return user && { kind: 'user', name: user.userName, ownerId: user.ownerId };
  }

  private async policySet(principal: Principal, bucketPolicy: NamedPolicy | undefined): Promise<PolicySet | undefined> {
    if (principal.kind !== 'user') {
      return { identityPolicies: [], unlimited: principal.kind === 'root', bucketPolicy };
    }
    if (principal.accessKeyId === undefined) {
      const user = await this.repository.findUser(principal.name);
      return user && { identityPolicies: await this.policiesOf(user.userId), bucketPolicy };
    }
    const known = await this.knownKey(principal.accessKeyId);
    if (known === undefined || !isUsable(known)) {
      return undefined;
    }
    return {
      identityPolicies: known.userId === undefined ? [] : await this.policiesOf(known.userId),
      unlimited: known.userId === undefined,
      sessionPolicies: known.sessionPolicies,
      bucketPolicy,
    };
  }

  private policiesOf(userId: string): Promise<readonly NamedPolicy[]> {
    return this.userPolicies.get(userId, async () =>
      (await this.repository.findPolicies(userId)).map((row) => compileStoredPolicy(row.name, row.document)),
    );
  }

  private compileBucketPolicy(document: string, bucket: string): NamedPolicy {
    const cacheKey = `${bucket}/${document}`;
    let compiled = this.bucketPolicies.get(cacheKey);
    if (compiled === undefined) {
      compiled = compileStoredPolicy('bucket-policy', document, { type: 'bucket', bucket });
      this.bucketPolicies.set(cacheKey, compiled);
    }
    return compiled;
  }

  private knownKey(accessKeyId: string): Promise<KnownCredential | undefined> {
    return this.keys.get(accessKeyId, async () => {
      const session = TEMPORARY_KEY_ID.test(accessKeyId) ? await this.repository.findSession(accessKeyId) : undefined;
      if (session !== undefined) {
        return openSession(this.rootKey, session, this.requireRoot());
      }
      const row = await this.repository.findAccessKey(accessKeyId);
      return row && openAccessKey(this.rootKey, row);
    });
  }

  private requireRoot(): Credential {
    if (this.root === undefined) {
      throw new Error('The identity service is used before the application started');
    }
    return this.root;
  }
}

function bucketOf(resource: string): string {
  return /^arn:[^:]*:s3:::([^/]*)/.exec(resource)?.[1] ?? '';
}
