import { randomBytes } from 'node:crypto';

/** Identifies this process in `x-amz-id-2`, so that a support case leads to the right log. */
export const HOST_ID = randomBytes(24).toString('base64');

const PREFIX = randomBytes(5).toString('hex').toUpperCase();
let counter = randomBytes(2).readUInt16BE();

/** A new request id of 16 upper-case hex digits: random per process, counted within it. */
export function nextRequestId(): string {
  counter = (counter + 1) % 0x1000000;
  return PREFIX + counter.toString(16).toUpperCase().padStart(6, '0');
}
