import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Principal } from '../identity/identity.types';
import type { AdminRequest } from './admin-request';

/** The authenticated caller, as a handler parameter. */
export const Caller = createParamDecorator((_data: unknown, context: ExecutionContext): Principal => {
  const { principal } = context.switchToHttp().getRequest<AdminRequest>();
  if (principal === undefined) {
    throw new Error('A handler outside the admin guard asked for its caller');
  }
  return principal;
});
