import { createHash, timingSafeEqual } from 'node:crypto';
import type { Credential } from './identity.types';
import { SignatureError } from './sigv4/signature-error';

/** What is kept of a session token, which itself is only ever shown to whom it was made for. */
export function sessionTokenDigest(token: string): Buffer {
  return createHash('sha256').update(token, 'utf8').digest();
}

/**
 * Checks that a request presents the token of its temporary credential, or none where the credential is a lasting one.
 *
 * @param presented the token from every place of the request that may hold it; all that are there must be right
 * @param now the server's clock
 * @throws SignatureError `InvalidToken`, `ExpiredToken`; `InvalidAccessKeyId` without any token, as S3 answers
 */
export function checkSessionToken(
  credential: Credential,
  presented: readonly (string | readonly string[] | undefined)[],
  now: Date,
): void {
  const tokens = presented.filter((token) => token !== undefined);
  const { session } = credential;
  if (session !== undefined && tokens.length === 0) {
    throw unknownAccessKey(credential.accessKeyId);
  }
  if (!tokens.every((token) => session !== undefined && isTokenOf(session.tokenDigest, token))) {
    throw new SignatureError('InvalidToken', 'The provided token is malformed or otherwise invalid.');
  }
  if (session !== undefined && session.expiresAt.getTime() <= now.getTime()) {
    throw new SignatureError('ExpiredToken', 'The provided token has expired.');
  }
}

/** The refusal of a key that does not exist, or is not to be told from one that does not. */
export function unknownAccessKey(accessKeyId: string): SignatureError {
  return new SignatureError('InvalidAccessKeyId', 'The AWS Access Key Id you provided does not exist in our records.', {
    AWSAccessKeyId: accessKeyId,
  });
}

function isTokenOf(digest: Buffer, token: string | readonly string[]): boolean {
  return typeof token === 'string' && timingSafeEqual(digest, sessionTokenDigest(token));
}
