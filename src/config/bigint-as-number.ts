import type { ValueTransformer } from 'typeorm';

/** Postgres gives bigint as text; a counter of configuration changes stays far below 2^53. */
export const bigintAsNumber: ValueTransformer = {
  to: (value: unknown) => value,
  from: (value: string) => Number(value),
};
