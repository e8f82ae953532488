import { Injectable } from '@nestjs/common';
import { annotateAudit } from '../common/audit-trail';
import { ACCOUNT, userArn } from '../identity/account';
import { IdentityService } from '../identity/identity.service';
import type { AccessRequest, Principal } from '../identity/identity.types';
import { SessionService } from '../identity/session.service';
import { element, textElement } from '../s3/xml-writer';
import { credentialsElement } from './sts-answers';
import { StsError } from './sts-error';
import type { StsParameters } from './sts-parameters';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const SHORTEST = 15 * MINUTE;

/** An authenticated request for an action. */
export interface StsCall {
  readonly caller: Principal;
  readonly parameters: StsParameters;
  /** What policies may judge the request by. */
  readonly conditions: AccessRequest['conditions'];
}

/** The actions, each answering the content of its result element. */
@Injectable()
export class StsService {
  constructor(
    private readonly identity: IdentityService,
    private readonly sessions: SessionService,
  ) {}

  /**
   * Issues temporary credentials for the caller itself: there are no roles, so whichever is named, what the caller may do is
   * what the session may do, less what the session policy takes away.
   */
  async assumeRole({ caller, parameters, conditions }: StsCall): Promise<string> {
    parameters.refuseNotOffered();
    const name = parameters.sessionName() ?? 'session';
    const roleArn = parameters.roleArn();
    await this.refuseDenied(caller, 'sts:AssumeRole', roleArn ?? '*', { ...conditions, 'sts:RoleSessionName': name });
    // AWS: whoever assumes a role from a role gets an hour at most.
    const most = caller.session === undefined ? 12 * HOUR : HOUR;
    const session = await this.sessions.issue(
      {
        duration: parameters.duration(SHORTEST, most, HOUR),
        name,
        policy: parameters.policy(),
        policyArns: parameters.policyArns(),
      },
      caller,
    );
    annotateAudit({ details: { issuedKeyId: session.accessKeyId, sessionName: name } });
    const user =
      textElement('AssumedRoleId', `${caller.ownerId}:${name}`) + textElement('Arn', sessionArn(caller.name, name));
    return element('AssumedRoleUser', user) + credentialsElement(session);
  }

  /** Issues temporary credentials that may do all that the caller may. */
  async getSessionToken({ caller, parameters, conditions }: StsCall): Promise<string> {
    parameters.refuseNotOffered();
    if (caller.session !== undefined) {
      throw new StsError('AccessDenied', 'Cannot call GetSessionToken with session credentials');
    }
    await this.refuseDenied(caller, 'sts:GetSessionToken', '*', conditions);
    const asked = parameters.duration(SHORTEST, 36 * HOUR, 12 * HOUR);
    const duration = caller.kind === 'root' ? Math.min(asked, HOUR) : asked;
    const session = await this.sessions.issue({ duration, name: '' }, caller);
    annotateAudit({ details: { issuedKeyId: session.accessKeyId } });
    return credentialsElement(session);
  }

  /** Tells who the caller is; nothing can forbid it, as in AWS. */
  getCallerIdentity({ caller }: StsCall): Promise<string> {
    const { session, name, ownerId } = caller;
    const named = session !== undefined && session.name !== '';
    const arn = named ? sessionArn(name, session.name) : userArn(name);
    const id = name === 'root' ? ACCOUNT : ownerId;
    return Promise.resolve(
      textElement('Arn', arn) +
        textElement('UserId', named ? `${ownerId}:${session.name}` : id) +
        textElement('Account', ACCOUNT),
    );
  }

  /** Tells the account of an access key, whether or not there is such a key, as in AWS. */
  getAccessKeyInfo({ parameters }: StsCall): Promise<string> {
    const id = parameters.text('AccessKeyId');
    if (id === undefined) {
      throw new StsError('MissingParameter', 'The request must contain the parameter AccessKeyId.');
    }
    return Promise.resolve(textElement('Account', ACCOUNT));
  }

  /** Everybody may go on as less than they are, unless a policy says no. */
  private async refuseDenied(
    principal: Principal,
    action: string,
    resource: string,
    conditions: AccessRequest['conditions'],
  ): Promise<void> {
    const { reason } = await this.identity.authorize({ principal, action, resource, conditions });
    if (reason.startsWith('explicit-deny:') || reason === 'unknown-principal') {
      throw new StsError('AccessDenied', `User: ${userArn(principal.name)} is not authorized to perform: ${action}`);
    }
  }
}

function sessionArn(name: string, sessionName: string): string {
  return `arn:aws:sts::${ACCOUNT}:assumed-role/${name}/${sessionName}`;
}
