import { KmsError } from '../kms-error';
import { ifThere } from './provider-parts';
import { objectOf, textOf, type VaultObject } from './vault-client';
import type { KvVersion, VaultKvSettings } from './vault-kv-settings';
import type { VaultSession } from './vault-session';

/** A value with what is needed to replace it and nothing newer. */
export interface KvEntry {
  readonly data: VaultObject;
  /** Version of the value in KV version 2; 0 in version 1, which knows none. */
  readonly revision: number;
}

/** Reads and writes values of a KV secrets engine, whichever of its two versions it is. */
export class VaultKvStore {
  private detected: Promise<KvVersion> | undefined;

  constructor(
    private readonly kms: string,
    private readonly session: VaultSession,
    private readonly settings: Pick<VaultKvSettings, 'mountPath' | 'kvVersion'>,
  ) {}

  /** The version of the engine, as configured or as the mount tells. @throws KmsError */
  async version(signal: AbortSignal): Promise<KvVersion> {
    const { kvVersion } = this.settings;
    if (kvVersion !== undefined) {
      return kvVersion;
    }
    const pending = (this.detected ??= this.detect(signal));
    pending.catch(() => (this.detected = undefined));
    return pending;
  }

  /** Undefined when there is no value. @throws KmsError */
  async read(path: string, signal: AbortSignal): Promise<KvEntry | undefined> {
    const versioned = (await this.version(signal)) === '2';
    const answer = await ifThere(this.session.read(this.path('data', path, versioned), signal));
    if (answer === undefined) {
      return undefined;
    }
    const data = objectOf(answer['data']);
    if (!versioned) {
      return { data, revision: 0 };
    }
    const value = data['data'];
    const revision = objectOf(data['metadata'])['version'];
    return value === null || value === undefined
      ? undefined
      : { data: objectOf(value), revision: typeof revision === 'number' ? revision : 0 };
  }

  /**
   * Writes a value. KV version 2 refuses unless the value there is still the one of that revision; 0 is none at all.
   * @returns false when it was refused for that
   * @throws KmsError
   */
  async write(path: string, data: VaultObject, revision: number, signal: AbortSignal): Promise<boolean> {
    const versioned = (await this.version(signal)) === '2';
    const body = versioned ? { data, options: { cas: revision } } : data;
    try {
      await this.session.write(this.path('data', path, versioned), body, signal);
      return true;
    } catch (error) {
      const reason = error instanceof KmsError && error.cause instanceof Error ? error.cause.message : '';
      if (versioned && reason.includes('check-and-set parameter did not match')) {
        return false;
      }
      throw error;
    }
  }

  /** Removes a value with all its versions; one that is not there is as good as removed. @throws KmsError */
  async destroy(path: string, signal: AbortSignal): Promise<void> {
    const versioned = (await this.version(signal)) === '2';
    await this.session.delete(this.path('metadata', path, versioned), signal);
  }

  /** Names directly below a path, without folders. @throws KmsError */
  async list(path: string, signal: AbortSignal): Promise<string[]> {
    const versioned = (await this.version(signal)) === '2';
    const listed = this.session.listByVerb(`${this.path('metadata', path, versioned)}/`, signal);
    const { data } = (await ifThere(listed)) ?? {};
    const names = objectOf(data)['keys'];
    return Array.isArray(names) ? names.map(String).filter((name) => !name.endsWith('/')) : [];
  }

  private path(part: 'data' | 'metadata', path: string, versioned: boolean): string {
    const { mountPath } = this.settings;
    return versioned ? `${mountPath}/${part}/${path}` : `${mountPath}/${path}`;
  }

  private async detect(signal: AbortSignal): Promise<KvVersion> {
    const { mountPath } = this.settings;
    try {
      const answer = await this.session.read(`sys/internal/ui/mounts/${mountPath}`, signal);
      // RustyVault has the mount itself there, Vault has it under `data`.
      const mount = objectOf(answer['data'] ?? answer);
      const type = textOf(mount['type'], 'unknown');
      if (type !== 'kv' && type !== 'generic') {
        throw new KmsError(
          'kms-not-configured',
          `${this.kms}: ${mountPath} is a secrets engine of type ${type}, not kv`,
          {
            remedy: `Enable it (vault secrets enable -path=${mountPath} kv), or correct mount_path and namespace.`,
          },
        );
      }
      return objectOf(mount['options'])['version'] === '2' ? '2' : '1';
    } catch (error) {
      if (!(error instanceof KmsError) || error.retryable || error.kind === 'kms-not-configured') {
        throw error;
      }
      throw new KmsError(error.kind, `${this.kms} does not tell the version of the KV engine at ${mountPath}`, {
        cause: error.cause,
        remedy: 'Correct mount_path and namespace, or set kv_version to 1 or 2 where it cannot be seen.',
      });
    }
  }
}
