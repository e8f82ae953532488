import { KmsError } from '../kms-error';
import type { KeyDescription, OwnRotation } from '../kms-provider';
import { objectOf, textOf, type VaultObject } from './vault-client';

/** What has to be known of a transit key to wrap with it. */
export interface VaultKey {
  readonly name: string;
  readonly type: string;
  /** Derives a key from each context: the context then binds by itself, and is mandatory. */
  readonly derived: boolean;
  readonly description: KeyDescription;
}

const DAY_SECONDS = 86_400;

/** Key types that authenticate associated data. */
const AEAD_TYPES: ReadonlySet<string> = new Set(['aes256-gcm96', 'aes128-gcm96', 'chacha20-poly1305']);

/**
 * Reads the answer of `GET <mount>/keys/<name>`.
 * @throws KmsError `kms-unsupported` for key types that cannot bind an encryption context
 */
export function readVaultKey(kms: string, name: string, answer: VaultObject): VaultKey {
  const data = objectOf(answer['data']);
  const type = textOf(data['type'], 'unknown');
  const latest = data['latest_version'];
  if (typeof latest !== 'number') {
    throw new KmsError('kms-protocol', `${kms} describes key ${name} in an unknown way`);
  }
  if (!AEAD_TYPES.has(type)) {
    throw new KmsError(
      'kms-unsupported',
      `Key ${name} of ${kms} is of type ${type}, which cannot bind an encryption context`,
      {
        remedy: 'Use a key of type aes256-gcm96 or chacha20-poly1305.',
      },
    );
  }
  const versions = Object.entries(objectOf(data['keys'])).map(([version, created]) => ({
    version,
    createdAt: dateOf(created),
  }));
  return {
    name,
    type,
    derived: data['derived'] === true,
    description: {
      keyId: name,
      state: 'enabled',
      algorithm: type,
      latestVersion: String(latest),
      versions,
      createdAt: versions[0]?.createdAt,
      ownRotation: ownRotation(data['auto_rotate_period'], versions.at(-1)?.createdAt),
    },
  };
}

/** @param period seconds, 0 for never */
function ownRotation(period: unknown, since: Date | undefined): OwnRotation | undefined {
  if (typeof period !== 'number' || period <= 0) {
    return undefined;
  }
  return {
    periodDays: period / DAY_SECONDS,
    next: since && new Date(since.getTime() + period * 1_000),
  };
}

/** Symmetric keys tell seconds since the epoch; asymmetric ones an object. */
function dateOf(created: unknown): Date | undefined {
  return typeof created === 'number' ? new Date(created * 1_000) : undefined;
}
