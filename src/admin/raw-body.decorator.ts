import { SetMetadata, type CustomDecorator } from '@nestjs/common';

export const RAW_BODY = Symbol('raw-body');

/** Marks a handler that reads the bytes of the body itself, so that a body which is not JSON is no failure. */
export function RawBody(): CustomDecorator<symbol> {
  return SetMetadata(RAW_BODY, true);
}
