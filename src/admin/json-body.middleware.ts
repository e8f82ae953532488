import { raw, type NextFunction, type Request, type Response } from 'express';
import { AdminError } from './admin-error';
import type { AdminRequest } from './admin-request';

/** Largest body of an admin request, in bytes: 256 KiB of configuration as mc encrypts it. */
export const MAX_BODY_BYTES = 256 * 1024 + 512;

/** Deeper documents serve no purpose here and could exhaust the stack of whoever walks them. */
const MAX_DEPTH = 32;

/** Keeps the body as sent, whatever its content type: the signature covers these bytes. */
export const readRawBody = raw({ type: () => true, limit: MAX_BODY_BYTES, inflate: false });

/**
 * Turns the raw body into JSON. `curl -d` and mc send JSON under other content types, so the type is not asked for; the
 * cross-site check of the guard is what keeps forms of foreign pages out.
 */
export function parseJsonBody(request: Request, _response: Response, next: NextFunction): void {
  const admin = request as AdminRequest;
  admin.rawBody = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  request.body = undefined;
  const text = admin.rawBody.toString('utf8');
  if (text.trim() !== '') {
    try {
      if (isTooDeep(text)) {
        throw new SyntaxError('too deep');
      }
      request.body = JSON.parse(text) as unknown;
    } catch {
      admin.bodyProblem = new AdminError(
        'InvalidRequest',
        `The body is not JSON, or nested more than ${MAX_DEPTH} levels deep`,
      );
    }
  }
  next();
}

function isTooDeep(text: string): boolean {
  let depth = 0;
  let inString = false;
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (inString) {
      if (character === '\\') {
        index++;
      } else if (character === '"') {
        inString = false;
      }
    } else if (character === '"') {
      inString = true;
    } else if (character === '{' || character === '[') {
      depth++;
      if (depth > MAX_DEPTH) {
        return true;
      }
    } else if (character === '}' || character === ']') {
      depth--;
    }
  }
  return false;
}
