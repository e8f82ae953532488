import { keyReferenceOf } from './admin-auth.guard';
import { AdminError } from './admin-error';
import type { AdminRequest } from './admin-request';

/**
 * The key that a request must name.
 *
 * @param field what the client calls it
 * @throws AdminError `InvalidRequest`
 */
export function requireKeyReference(request: AdminRequest, field = 'key_id'): string {
  const reference = keyReferenceOf(request);
  if (reference === undefined) {
    throw new AdminError('InvalidRequest', `Name the key in ${field}`, [{ field, message: 'is missing' }]);
  }
  return reference;
}
