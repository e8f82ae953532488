import { KmsError } from './kms-error';

/** A key reference taken apart; without `target` it means the default target, without `keyId` that target's default key. */
export interface KeyReference {
  readonly type?: string;
  readonly target?: string;
  readonly keyId?: string;
}

const ARN_PREFIX = 'arn:aws:kms:';
const FULL_ARN_RESOURCE = /^[a-z0-9-]*:[0-9]*:(?:key\/)?(.+)$/;
const ALIAS_PREFIX = 'alias/';
const TYPED = /^([a-z][a-z0-9_]*):([^/:]+)(?:\/(.+))?$/;
const GOOGLE_RESOURCE = /^projects\/[^/]+\/locations\/[^/]+\/keyRings\/[^/]+\/cryptoKeys\/[^/]+$/;
const MAX_LENGTH = 512;

/**
 * Takes a key reference apart: `key`, `target/key`, `type:target/key`, `type:target` (its default key), and each of them
 * behind `arn:aws:kms:` as MinIO writes it or as the resource of a full ARN (`arn:aws:kms:region:account:key/id`). What AWS
 * clients write as `alias/name` is the key `name`; no target can have that name. The full resource name of a key of Google
 * Cloud is a key in the default target.
 *
 * @throws KmsError `kms-invalid-request` for an empty, overlong or control-character reference
 */
export function parseKeyReference(reference: string | undefined): KeyReference {
  if (reference === undefined) {
    return {};
  }
  const text = stripArn(reference.trim());
  // eslint-disable-next-line no-control-regex
  if (text === '' || text.length > MAX_LENGTH || /[\u0000-\u001f\u007f]/.test(text)) {
    throw new KmsError('kms-invalid-request', 'The KMS key id is empty, too long or not printable');
  }
  if (text.startsWith(ALIAS_PREFIX) && text.length > ALIAS_PREFIX.length) {
    return { keyId: text.slice(ALIAS_PREFIX.length) };
  }
  if (GOOGLE_RESOURCE.test(text)) {
    return { keyId: text };
  }
  const typed = TYPED.exec(text);
  if (typed) {
    return { type: typed[1], target: typed[2], keyId: typed[3] };
  }
  const slash = text.indexOf('/');
  if (slash > 0 && slash < text.length - 1) {
    return { target: text.slice(0, slash), keyId: text.slice(slash + 1) };
  }
  return { keyId: text };
}

function stripArn(text: string): string {
  if (!text.startsWith(ARN_PREFIX)) {
    return text;
  }
  const rest = text.slice(ARN_PREFIX.length);
  return FULL_ARN_RESOURCE.exec(rest)?.[1] ?? rest;
}
