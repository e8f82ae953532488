import { randomBytes } from 'node:crypto';
import { crc32c } from '@node-rs/crc32';
import { openBytes, sealBytes } from './scripted-cipher';

/** Numbers of CryptoKeyVersionState in google/cloud/kms/v1/resources.proto. */
export const VERSION_STATE = { ENABLED: 1, DISABLED: 2, DESTROYED: 3, DESTROY_SCHEDULED: 4, PENDING_GENERATION: 5 };

export type Json = Readonly<Record<string, unknown>>;

export interface GcpFakeVersion {
  readonly name: string;
  readonly material: Buffer;
  state: keyof typeof VERSION_STATE;
  destroyTime?: string;
}

export interface GcpFakeKey {
  readonly name: string;
  readonly purpose: number;
  readonly protectionLevel: number;
  readonly createTime: string;
  /** Seconds. */
  destroyWait: number;
  rotation?: { readonly seconds: number; readonly next: string };
  primary: GcpFakeVersion;
  readonly versions: GcpFakeVersion[];
}

const ENCRYPT_DECRYPT = 1;
const HSM = 2;
const DEFAULT_WAIT = 30 * 86_400;

/** An answer that Google gives instead of a result. */
export class GcpFault extends Error {
  constructor(
    readonly http: number,
    readonly status: string,
    message: string,
  ) {
    super(message);
  }
}

/** A new key with its first version, enabled unless it is to be made in an HSM. */
export function newGcpKey(name: string, protectionLevel = 1, purpose = ENCRYPT_DECRYPT): GcpFakeKey {
  const primary = newVersion(name, 1, protectionLevel);
  return {
    name,
    purpose,
    protectionLevel,
    createTime: new Date().toISOString(),
    destroyWait: DEFAULT_WAIT,
    primary,
    versions: [primary],
  };
}

export function addVersion(key: GcpFakeKey): GcpFakeVersion {
  const version = newVersion(key.name, key.versions.length + 1, key.protectionLevel);
  key.versions.push(version);
  return version;
}

export function showKey(key: GcpFakeKey): Json {
  return {
    name: key.name,
    purpose: key.purpose,
    createTime: key.createTime,
    primary: showVersion(key, key.primary),
    versionTemplate: { protectionLevel: key.protectionLevel, algorithm: 1 },
    destroyScheduledDuration: `${key.destroyWait}s`,
    ...(key.rotation === undefined
      ? {}
      : { rotationPeriod: `${key.rotation.seconds}s`, nextRotationTime: key.rotation.next }),
  };
}

export function showVersion(key: GcpFakeKey, version: GcpFakeVersion): Json {
  return {
    name: version.name,
    state: VERSION_STATE[version.state],
    protectionLevel: key.protectionLevel,
    algorithm: 1,
    createTime: key.createTime,
    ...(version.destroyTime === undefined ? {} : { destroyTime: version.destroyTime }),
  };
}

/** Enabled, or refused as Cloud KMS words it. */
export function requireEnabledVersion({ name, state }: GcpFakeVersion): void {
  if (state !== 'ENABLED') {
    throw new GcpFault(400, 'FAILED_PRECONDITION', `${name} is not enabled, current state is: ${state}.`);
  }
}

export function encryptWith(key: GcpFakeKey, input: Json): Json {
  const plaintext = checked(input, 'plaintext');
  const associated = checked(input, 'additionalAuthenticatedData');
  requireEnabledVersion(key.primary);
  const index = Buffer.from([key.versions.indexOf(key.primary)]);
  const ciphertext = Buffer.concat([index, sealBytes(key.primary.material, plaintext, associated)]);
  return {
    name: key.primary.name,
    ciphertext: ciphertext.toString('base64'),
    ciphertextCrc32c: String(crc32c(ciphertext)),
    verifiedPlaintextCrc32c: true,
    verifiedAdditionalAuthenticatedDataCrc32c: true,
    protectionLevel: key.protectionLevel,
  };
}

export function decryptWith(key: GcpFakeKey, input: Json): Json {
  const ciphertext = checked(input, 'ciphertext');
  const associated = checked(input, 'additionalAuthenticatedData');
  const version = key.versions[ciphertext[0] ?? -1];
  if (!version) {
    throw new GcpFault(400, 'INVALID_ARGUMENT', 'Decryption failed: the ciphertext is invalid.');
  }
  requireEnabledVersion(version);
  const plaintext = openBytes(version.material, ciphertext.subarray(1), associated);
  if (!plaintext) {
    throw new GcpFault(400, 'INVALID_ARGUMENT', 'Decryption failed: the ciphertext is invalid.');
  }
  return {
    plaintext: plaintext.toString('base64'),
    plaintextCrc32c: String(crc32c(plaintext)),
    usedPrimary: version === key.primary,
    protectionLevel: key.protectionLevel,
  };
}

function newVersion(key: string, number: number, protectionLevel: number): GcpFakeVersion {
  return {
    name: `${key}/cryptoKeyVersions/${number}`,
    material: randomBytes(32),
    state: protectionLevel === HSM ? 'PENDING_GENERATION' : 'ENABLED',
  };
}

/** Google makes the checksum optional; whoever forgets it here has lost the protection. */
function checked(input: Json, field: string): Buffer {
  const text = input[field];
  const bytes = Buffer.from(typeof text === 'string' ? text : '', 'base64');
  if (input[`${field}Crc32c`] !== String(crc32c(bytes))) {
    throw new GcpFault(400, 'INVALID_ARGUMENT', `The checksum in field ${field}_crc32c did not match the data.`);
  }
  return bytes;
}
