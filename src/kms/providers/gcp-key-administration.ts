import { setTimeout as delay } from 'node:timers/promises';
import { KmsError } from '../kms-error';
import type { CallOptions, KeyDescription } from '../kms-provider';
import { checkDeletionWindow } from './deletion-window';
import type { GcpKey, GcpKeyVersion } from './gcp-calls';
import type { GcpClient } from './gcp-client';
import { dateOf, describeGcpKey, requireEnabled } from './gcp-key-description';
import { gcpKeyVersion } from './gcp-key-name';
import type { GcpProtectionLevel } from './gcp-settings';

const DAY_SECONDS = 86_400;
const GENERATION_POLL = 500;
const GONE: ReadonlySet<string> = new Set(['DESTROYED', 'DESTROY_SCHEDULED', 'GENERATION_FAILED', 'IMPORT_FAILED']);

/** A key by its two names: the full resource name, and the one towards objects. */
export interface GcpKeyHandle {
  readonly resource: string;
  readonly keyId: string;
}

/** What is done to keys rather than with them. In Cloud KMS only versions have states, so a key is all its versions. */
export class GcpKeyAdministration {
  constructor(
    private readonly kms: string,
    private readonly client: GcpClient,
  ) {}

  /** @throws KmsError */
  async describe({ resource, keyId }: GcpKeyHandle, { signal }: CallOptions): Promise<KeyDescription> {
    return describeGcpKey(keyId, await this.client.call('getCryptoKey', { name: resource }, signal));
  }

  /**
   * Makes a symmetric key. Its name can never be used for another one.
   * @throws KmsError
   */
  async create(
    handle: GcpKeyHandle,
    { ring, name }: { readonly ring: string; readonly name: string },
    protectionLevel: GcpProtectionLevel,
    options: CallOptions,
  ): Promise<KeyDescription> {
    const cryptoKey: GcpKey = {
      purpose: 'ENCRYPT_DECRYPT',
      versionTemplate: { protectionLevel, algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION' },
    };
    const request = { parent: ring, cryptoKeyId: name, cryptoKey };
    const made = await this.client.call('createCryptoKey', request, options.signal);
    if (made.primary?.state === 'ENABLED') {
      return describeGcpKey(handle.keyId, made);
    }
    await this.untilGenerated(made.primary ?? {}, options);
    return this.describe(handle, options);
  }

  /** Makes a version and has it wrap from now on. @throws KmsError */
  async rotate(handle: GcpKeyHandle, options: CallOptions): Promise<KeyDescription> {
    requireEnabled(this.kms, await this.describe(handle, options));
    const { resource, keyId } = handle;
    const version = await this.client.call('createCryptoKeyVersion', { parent: resource }, options.signal);
    await this.untilGenerated(version, options);
    const request = { name: resource, cryptoKeyVersionId: gcpKeyVersion(version.name) ?? '' };
    return describeGcpKey(keyId, await this.client.call('updateCryptoKeyPrimaryVersion', request, options.signal));
  }

  /** @throws KmsError `kms-key-pending-deletion` when there is no version left to enable */
  async setEnabled(handle: GcpKeyHandle, enabled: boolean, options: CallOptions): Promise<KeyDescription> {
    const before = await this.describe(handle, options);
    const versions = (await this.versions(handle, options)).filter(({ state }) => !GONE.has(String(state)));
    if (versions.length === 0) {
      requireEnabled(this.kms, before);
    }
    const [from, to] = enabled ? (['DISABLED', 'ENABLED'] as const) : (['ENABLED', 'DISABLED'] as const);
    for (const { name } of versions.filter(({ state }) => state === from)) {
      const request = { cryptoKeyVersion: { name, state: to }, updateMask: { paths: ['state'] } };
      await this.client.call('updateCryptoKeyVersion', request, options.signal);
    }
    return this.describe(handle, options);
  }

  /**
   * Schedules the destruction of every version. How long they wait is a fixed property of the key; it is refused when that
   * is less than was asked for, and the date that is told is the real one.
   * @throws KmsError
   */
  async scheduleDeletion(handle: GcpKeyHandle, days: number, options: CallOptions): Promise<KeyDescription> {
    checkDeletionWindow(days);
    const key = await this.client.call('getCryptoKey', { name: handle.resource }, options.signal);
    const wait = Number(key.destroyScheduledDuration?.seconds ?? 0);
    if (wait < days * DAY_SECONDS) {
      const real = `${Math.round((wait / DAY_SECONDS) * 10) / 10} days`;
      throw new KmsError('kms-invalid-request', `Versions of this key wait ${real} for their destruction, always`, {
        remedy: 'The waiting time is set when a key is made (destroyScheduledDuration). Ask for no longer one.',
      });
    }
    const versions = await this.versions(handle, options);
    let deletionDate = latestOf(versions);
    for (const { name } of versions.filter(({ state }) => !GONE.has(String(state)))) {
      deletionDate = latestOf([await this.client.call('destroyCryptoKeyVersion', { name }, options.signal)]);
    }
    return { ...describeGcpKey(handle.keyId, key), state: 'pending-deletion', deletionDate };
  }

  /** Restores every version that waits, disabled as Cloud KMS returns them. @throws KmsError */
  async cancelDeletion(handle: GcpKeyHandle, options: CallOptions): Promise<KeyDescription> {
    const waiting = (await this.versions(handle, options)).filter(({ state }) => state === 'DESTROY_SCHEDULED');
    if (waiting.length === 0) {
      throw new KmsError('kms-invalid-request', `No version of this key waits for its destruction in ${this.kms}`);
    }
    for (const { name } of waiting) {
      await this.client.call('restoreCryptoKeyVersion', { name }, options.signal);
    }
    return this.describe(handle, options);
  }

  private versions({ resource }: GcpKeyHandle, { signal }: CallOptions): Promise<GcpKeyVersion[]> {
    return this.client.list('listCryptoKeyVersions', { parent: resource }, signal);
  }

  /** Material in an HSM takes a moment to be made. */
  private async untilGenerated(made: GcpKeyVersion, { signal }: CallOptions): Promise<void> {
    let version = made;
    while (version.state === 'PENDING_GENERATION') {
      // The next call says why when the time is up.
      await delay(GENERATION_POLL, undefined, { signal }).catch(() => undefined);
      version = await this.client.call('getCryptoKeyVersion', { name: made.name }, signal);
    }
    if (version.state !== 'ENABLED') {
      throw new KmsError('kms-unavailable', `${this.kms} could not make the key material`);
    }
  }
}

function latestOf(versions: readonly GcpKeyVersion[]): Date | undefined {
  const times = versions.flatMap(({ destroyTime }) => dateOf(destroyTime)?.getTime() ?? []);
  return times.length === 0 ? undefined : new Date(Math.max(...times));
}
