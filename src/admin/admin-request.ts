import type { Request } from 'express';
import type { DomainError } from '../common/domain-error';
import type { Principal } from '../identity/identity.types';

/** What the admin middleware and the guard leave on a request for those after them. */
export interface AdminRequest extends Request {
  /** The body byte for byte, which signatures cover; empty when there is none. */
  rawBody: Buffer;
  /** Why the body could not be read as JSON; told after authentication only. */
  bodyProblem?: DomainError;
  /** Set by the guard. */
  principal?: Principal;
}
