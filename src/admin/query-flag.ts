import { applyDecorators } from '@nestjs/common';
import { ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { IsBoolean, IsOptional } from 'class-validator';

const FLAGS: ReadonlyMap<unknown, boolean> = new Map<unknown, boolean>([
  ['', true],
  ['true', true],
  ['1', true],
  ['on', true],
  ['false', false],
  ['0', false],
  ['off', false],
]);

/** A boolean query parameter; its bare name (`?force`) means true. */
export function QueryFlag(description: string): PropertyDecorator {
  return applyDecorators(
    ApiPropertyOptional({ type: Boolean, description }),
    Transform(({ value }: { value: unknown }) => FLAGS.get(value) ?? value),
    IsOptional(),
    IsBoolean({ message: '$property must be true or false' }),
  );
}
