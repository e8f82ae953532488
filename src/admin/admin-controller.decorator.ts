import { applyDecorators, Controller, UseGuards, UseInterceptors } from '@nestjs/common';
import { ApiBasicAuth, ApiExtraModels, ApiResponse, ApiSecurity, ApiTags, getSchemaPath } from '@nestjs/swagger';
import { AdminAuthGuard } from './admin-auth.guard';
import { AuditInterceptor } from './audit.interceptor';
import { ProblemDto } from './problem.dto';

/** Names of the security schemes in the OpenAPI document. */
export const BASIC_SCHEME = 'basic';
export const SIGNATURE_SCHEME = 'sigv4';

/** A problem answer in the OpenAPI document. */
export function ApiProblem(status: number, description: string): ClassDecorator & MethodDecorator {
  return ApiResponse({
    status,
    description,
    content: { 'application/problem+json': { schema: { $ref: getSchemaPath(ProblemDto) } } },
  });
}

/** A controller behind the admin guard, described with what the guard and the pipes may answer. */
export function AdminController(paths: string | string[], tag: string): ClassDecorator {
  return applyDecorators(
    Controller(paths),
    UseGuards(AdminAuthGuard),
    UseInterceptors(AuditInterceptor),
    ApiTags(tag),
    ApiBasicAuth(BASIC_SCHEME),
    ApiSecurity(SIGNATURE_SCHEME),
    ApiExtraModels(ProblemDto),
    ApiProblem(400, 'The request is malformed; every problem is listed'),
    ApiProblem(401, 'Credentials are missing or wrong'),
    ApiProblem(403, 'The signature does not hold, or your policies do not allow this'),
  );
}
