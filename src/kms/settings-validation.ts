import { plainToInstance, type ClassConstructor } from 'class-transformer';
import { validate } from 'class-validator';
import type { FieldProblem, FieldValues } from '../config/subsystem';

/**
 * Validates the values of a configuration document with a class-validator DTO.
 * @returns every problem at once; empty when the values are sound
 */
export async function validateSettings<T extends object>(
  type: ClassConstructor<T>,
  values: FieldValues,
): Promise<FieldProblem[]> {
  const errors = await validate(plainToInstance(type, withoutBlanks(values)), { forbidUnknownValues: false });
  return errors.flatMap((error) =>
    Object.values(error.constraints ?? {}).map((message) => ({ field: error.property, message })),
  );
}

/** Blank text means that a field is not set. */
export function withoutBlanks(values: FieldValues): Record<string, string | number | boolean> {
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, string | number | boolean] => {
      const value = entry[1];
      return value !== undefined && value !== null && value !== '';
    }),
  );
}
