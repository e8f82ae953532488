import { IdentityError } from './identity-error';

/** AWS's alphabet for names of users, groups and policies, 1 to 64 characters. */
export const ENTITY_NAME = /^[\w+=,.@-]{1,64}$/;

/** These stand for callers that are no users. */
const RESERVED: ReadonlySet<string> = new Set(['root', 'anonymous']);

/** @throws IdentityError `InvalidInput` for a name that no user, group or policy may have */
export function checkEntityName(field: string, name: string): void {
  if (!ENTITY_NAME.test(name)) {
    const message = 'must be 1 to 64 letters, digits or any of _+=,.@-';
    throw new IdentityError('InvalidInput', `${field} ${message}`, [{ field, message }]);
  }
  if (RESERVED.has(name.toLowerCase())) {
    throw new IdentityError('InvalidInput', `${field} "${name}" is reserved`, [{ field, message: 'is reserved' }]);
  }
}

/** The error for something that is not there. */
export function noSuchEntity(kind: string, name: string): IdentityError {
  return new IdentityError('NoSuchEntity', `The ${kind} "${name}" does not exist`, [], { details: { entity: kind } });
}
