import { Inject, Injectable } from '@nestjs/common';
import { seal } from '../common/sealed-box';
import { Secret } from '../common/secret';
import { ROOT_KEY } from '../settings/root-key';
import {
  generateSecretKey,
  generateSessionToken,
  generateTemporaryKeyId,
  sessionSecretPurpose,
} from './credential-format';
import { IdentityError } from './identity-error';
import { IdentityRepository } from './identity.repository';
import { IdentityService } from './identity.service';
import type { Principal } from './identity.types';
import { issuerMac } from './known-credential';
import { parsePolicy } from './policy-document';
import { sessionTokenDigest } from './session-token';
import type { SessionPolicy, SessionRow } from './session-row';
import { SessionRepository, type Session } from './session.repository';

const PREFIX_OF_POLICY_ARN = /^arn:[a-z0-9-]+:iam::(?:aws|\d{12})?:policy\/(?:[\w+=,.@/-]*\/)?/;

export interface SessionRequest {
  /** Seconds. */
  readonly duration: number;
  /** RoleSessionName; empty when the caller goes on as itself. */
  readonly name: string;
  /** JSON of a policy that narrows what the caller may do. */
  readonly policy?: string;
  /** Names or ARNs of stored policies that narrow it; what any of all these policies allows stays allowed. */
  readonly policyArns?: readonly string[];
}

/** Temporary credentials, shown this once. */
export interface IssuedSession {
  readonly accessKeyId: string;
  readonly secretKey: Secret;
  readonly sessionToken: Secret;
  readonly expiresAt: Date;
}

interface Origin extends Pick<SessionRow, 'issuerMac' | 'policies'> {
  readonly issuerKeyId: string | undefined;
  readonly parentId: string | undefined;
  readonly notAfter: Date | undefined;
}

/** Makes, lists and ends temporary credentials. */
@Injectable()
export class SessionService {
  constructor(
    private readonly sessions: SessionRepository,
    private readonly repository: IdentityRepository,
    private readonly identity: IdentityService,
    @Inject(ROOT_KEY) private readonly rootKey: Buffer,
  ) {}

  /**
   * Issues temporary credentials that may do what the caller may, less what the policies take away. They end with the access
   * key they come from: when it is deleted, disabled or given another secret, or its user is disabled or deleted.
   *
   * @param caller authenticated with an access key
   * @throws IdentityError `MalformedPolicyDocument`, `NoSuchEntity` for an unknown policy or when the caller's key is gone
   */
  async issue(request: SessionRequest, caller: Principal): Promise<IssuedSession> {
    const level = await this.levelOf(request);
    const origin = await this.originOf(caller);
    const accessKeyId = generateTemporaryKeyId();
    const secretKey = generateSecretKey();
    const token = generateSessionToken();
    const asked = Date.now() + request.duration * 1000;
    const expiresAt = wholeSecond(Math.min(asked, origin.notAfter?.getTime() ?? asked));
    await this.sessions.insert({
      ...origin,
      accessKeyId,
      sealedSecret: seal(this.rootKey, Buffer.from(secretKey, 'utf8'), sessionSecretPurpose(accessKeyId)),
      tokenDigest: sessionTokenDigest(token),
      sessionName: request.name,
      policies: level.length === 0 ? origin.policies : [...origin.policies, level],
      expiresAt,
    });
    return { accessKeyId, secretKey: new Secret(secretKey), sessionToken: new Secret(token), expiresAt };
  }

  /** Sessions that have not expired; those of root are for root alone to see. */
  async list(caller: Principal): Promise<Session[]> {
    return (await this.sessions.list()).filter(({ userName }) => userName !== undefined || caller.kind === 'root');
  }

  /** Ends a session and all that were made from it. @throws IdentityError `NoSuchEntity` */
  async revoke(accessKeyId: string): Promise<void> {
    await this.sessions.delete(accessKeyId);
  }

  /** Ends every session of a user, or of root. @returns how many there were */
  async revokeOfUser(userName: string | undefined): Promise<number> {
    return this.sessions.deleteOfUser(userName);
  }

  private async levelOf({ policy, policyArns = [] }: SessionRequest): Promise<SessionPolicy[]> {
    const level: SessionPolicy[] = [];
    if (policy !== undefined) {
      parsePolicy(policy);
      level.push({ name: 'session-policy', document: policy });
    }
    for (const arn of policyArns) {
      const name = arn.replace(PREFIX_OF_POLICY_ARN, '');
      const stored = await this.repository.findPolicy(name);
      if (stored === undefined) {
        throw new IdentityError('NoSuchEntity', `The policy "${name}" does not exist`);
      }
      level.push({ name: stored.name, document: stored.document });
    }
    return level;
  }

  private async originOf({ accessKeyId = '', session }: Principal): Promise<Origin> {
    if (session !== undefined) {
      const parent = await this.repository.findSession(accessKeyId);
      if (parent === undefined) {
        throw gone(accessKeyId);
      }
      const { issuer, policies, expiresAt } = parent;
      const issuerKeyId = issuer?.accessKeyId;
      return { issuerKeyId, issuerMac: parent.issuerMac, parentId: accessKeyId, policies, notAfter: expiresAt };
    }
    const credential = await this.identity.findCredential(accessKeyId);
    const isRoot = accessKeyId === this.identity.rootAccessKeyId;
    const row = isRoot ? undefined : await this.repository.findAccessKey(accessKeyId);
    if (credential === undefined || (row === undefined && !isRoot)) {
      throw gone(accessKeyId);
    }
    return {
      issuerKeyId: row?.accessKeyId,
      issuerMac: issuerMac(this.rootKey, credential),
      parentId: undefined,
      policies: [],
      notAfter: row?.expiresAt ?? undefined,
    };
  }
}

function gone(accessKeyId: string): IdentityError {
  return new IdentityError('NoSuchEntity', `The access key "${accessKeyId}" does not exist`);
}

/** Answers show whole seconds, and must not promise more than is kept. */
function wholeSecond(millis: number): Date {
  return new Date(Math.floor(millis / 1000) * 1000);
}
