import type { Secret } from '../common/secret';

/** Who is asking. `anonymous` has no credentials and may do only what a bucket policy allows everyone. */
export interface Principal {
  readonly kind: 'root' | 'user' | 'anonymous';
  /** User name, `root`, or `anonymous`. */
  readonly name: string;
  readonly accessKeyId?: string;
  /** Canonical id shown as Owner in listings. */
  readonly ownerId: string;
  /** Whether a policy of the credential itself takes away from what its owner may do. */
  readonly narrowed?: boolean;
  /** Present for temporary credentials, which act for whoever assumed a role. */
  readonly session?: SessionFacts;
}

/** What policies may judge a session by. */
export interface SessionFacts {
  readonly issuedAt: Date;
  /** RoleSessionName; empty for GetSessionToken. */
  readonly name: string;
}

/** A credential that signs requests. */
export interface Credential {
  readonly accessKeyId: string;
  readonly secretKey: Secret;
  readonly principal: Principal;
  readonly status: 'enabled' | 'disabled';
  /** Present for temporary credentials, which are worth nothing without their token. */
  readonly session?: { readonly tokenDigest: Buffer; readonly expiresAt: Date };
}

export type ConditionValue = string | readonly string[];

/** One question put to the policy evaluator. */
export interface AccessRequest {
  readonly principal: Principal;
  /** e.g. `s3:GetObject`, `kms:Decrypt`, `admin:ConfigUpdate` */
  readonly action: string;
  /** e.g. `arn:aws:s3:::bucket/key`, `arn:aws:kms:::key/id`, `*` */
  readonly resource: string;
  /** Condition keys in AWS's spelling (`aws:SourceIp`, `s3:prefix`), compared without regard to case. */
  readonly conditions: Readonly<Record<string, ConditionValue | undefined>>;
}

export interface AccessDecision {
  readonly allowed: boolean;
  /**
   * Why, for logs and audit: `root`, `allow:<policy>`, `explicit-deny:<policy>`, `implicit-deny`. A session policy that
   * does not allow what it limits is named behind it: `implicit-deny:<policy>`.
   */
  readonly reason: string;
}

/** IdentityService (identity.service.ts), as the S3 and admin faces use it. */
export interface IdentityServiceContract {
  /** Looks up a credential; cached briefly, invalidated on change in every process. */
  findCredential(accessKeyId: string): Promise<Credential | undefined>;
  /** Root may do everything but what a bucket policy refuses. @param bucketPolicy JSON of the bucket's policy, when there is one */
  authorize(request: AccessRequest, bucketPolicy?: string): Promise<AccessDecision>;
}

export const ANONYMOUS: Principal = { kind: 'anonymous', name: 'anonymous', ownerId: 'anonymous' };
