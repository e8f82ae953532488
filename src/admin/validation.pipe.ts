import { ValidationPipe, type ValidationError, type ValidationPipeOptions } from '@nestjs/common';
import type { InputProblem } from '../identity/identity-error';
import { AdminError } from './admin-error';

/**
 * Turns requests into DTOs; members that a DTO does not have are refused, so that a typing error never passes silently.
 * @param overrides options that differ
 */
export function createValidationPipe(overrides: ValidationPipeOptions = {}): ValidationPipe {
  return new ValidationPipe({
    whitelist: true,
    forbidNonWhitelisted: true,
    forbidUnknownValues: true,
    transform: true,
    validationError: { target: false, value: false },
    ...overrides,
    exceptionFactory: (errors) => {
      const problems = errors.flatMap((error) => problemsOf(error, ''));
      const detail = problems.map((problem) => problem.message).join('; ');
      return new AdminError('InvalidRequest', detail === '' ? 'The request is malformed' : detail, problems);
    },
  });
}

function problemsOf(error: ValidationError, parent: string): InputProblem[] {
  const field = `${parent}${error.property}`;
  const own = sayingMost(Object.entries(error.constraints ?? {})).map(([constraint, message]) => ({
    field,
    message: constraint === 'whitelistValidation' ? `${field} is not a known member` : message,
  }));
  return [...own, ...(error.children ?? []).flatMap((child) => problemsOf(child, `${field}.`))];
}

/** One of the things that are wrong with a member: what is no text need not be told that it is too long. */
function sayingMost(constraints: [string, string][]): [string, string][] {
  return constraints
    .filter(([name]) => name.startsWith('is'))
    .concat(constraints)
    .slice(0, 1);
}
