import { canonicalContextText, type EncryptionContext } from '../../common/encryption-context';
import { KmsError, type KmsErrorKind } from '../kms-error';
import type { KeyDescription, KmsCapabilities } from '../kms-provider';

/** Length of data keys, and of the keys that wrap them where those are made here. */
export const KEY_BYTES = 32;

const NOTHING: KmsCapabilities = {
  createKey: false,
  importKey: false,
  listKeys: false,
  rotateKey: false,
  enableDisable: false,
  scheduleDeletion: false,
  deleteKey: false,
  rewrap: false,
  bindsContext: false,
  keyVersions: false,
};

/** These capabilities and no others. */
export function capabilities(...able: readonly (keyof KmsCapabilities)[]): KmsCapabilities {
  return { ...NOTHING, ...Object.fromEntries(able.map((name) => [name, true])) };
}

/** The bytes that stand for an encryption context wherever one is authenticated. */
export function contextBytes(context: EncryptionContext): Buffer {
  return Buffer.from(canonicalContextText(context), 'utf8');
}

/** Whether it is a KmsError of one of these kinds. */
export function isKind(error: unknown, ...kinds: readonly KmsErrorKind[]): error is KmsError {
  return error instanceof KmsError && kinds.includes(error.kind);
}

/** What is asked for; undefined when there is no such key. */
export async function ifThere<T>(pending: Promise<T>): Promise<T | undefined> {
  return pending.catch((error: unknown) => {
    if (isKind(error, 'kms-key-not-found')) {
      return undefined;
    }
    throw error;
  });
}

/** The error; one for a missing permission says how it is granted, unless it does already. */
export function withPermissionRemedy(error: unknown, remedy: () => string): unknown {
  return isKind(error, 'kms-access-denied') && error.remedy === undefined
    ? new KmsError(error.kind, error.message, { cause: error.cause, remedy: remedy() })
    : error;
}

/** The description of a listed key; its name alone where the key may be listed but not looked at. */
export async function describeListed(keyId: string, pending: Promise<KeyDescription>): Promise<KeyDescription> {
  return pending.catch((error: unknown) => {
    if (error instanceof KmsError && !error.retryable) {
      return { keyId, state: 'enabled', algorithm: 'unknown' };
    }
    throw error;
  });
}

/** A data key that a KMS gave. @throws KmsError `kms-protocol` unless it has the length of one */
export function receivedDataKey(kms: string, bytes: Buffer): Buffer {
  if (bytes.length !== KEY_BYTES) {
    bytes.fill(0);
    throw new KmsError('kms-protocol', `${kms} returned a data key that is not ${KEY_BYTES} bytes long`);
  }
  return bytes;
}

/** @throws KmsError `kms-invalid-request` unless the material has the length of a key */
export function assertKeyMaterial(kms: string, material: Buffer): void {
  if (material.length !== KEY_BYTES) {
    throw new KmsError('kms-invalid-request', `A key of ${kms} is ${KEY_BYTES} bytes long`);
  }
}

/** For what no key of the KMS can be called. */
export function impossibleKeyName(kms: string, keyId: string): KmsError {
  return new KmsError('kms-key-not-found', `${keyId.slice(0, 64)} cannot be the name of a key in ${kms}`);
}

/** The moment that a text names; undefined when it names none. */
export function momentOf(text: string): Date | undefined {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? undefined : date;
}
