import { randomBytes } from 'node:crypto';
import { KmsError } from '../kms-error';
import { objectOf, textOf, type VaultObject } from './vault-client';
import type { VaultKvStore } from './vault-kv-store';

const KEY_BYTES = 32;
export const MATERIAL_ID_BYTES = 16;

/** One version of a key: where its material lies, never the material itself. */
export interface KvKeyVersion {
  readonly version: number;
  /** Hex of {@link MATERIAL_ID_BYTES} bytes. */
  readonly materialId: string;
  readonly createdAt: string;
}

/** A key as it is described in KV. */
export interface KvKey {
  readonly keyId: string;
  readonly enabled: boolean;
  /** In the order of their numbers, at least one. */
  readonly versions: readonly KvKeyVersion[];
  readonly revision: number;
}

/**
 * Keys in a KV engine. `<prefix>/<key>` lists the versions; the material of each lies by itself under a random name,
 * `<prefix>/<key>/<id>`, which the wrapped data keys carry. So material is only ever added: when KV version 1, which
 * cannot refuse a write, lets two rotations overwrite each other's list, what either wrapped can still be unwrapped.
 */
export class VaultKvKeys {
  constructor(
    private readonly kms: string,
    private readonly store: VaultKvStore,
    private readonly prefix: string,
  ) {}

  /** @throws KmsError */
  async find(keyId: string, signal: AbortSignal): Promise<KvKey | undefined> {
    const entry = await this.store.read(`${this.prefix}/${keyId}`, signal);
    return entry && this.readKey(keyId, entry.data, entry.revision);
  }

  /** Undefined when there is no such material. @throws KmsError */
  async material(keyId: string, materialId: string, signal: AbortSignal): Promise<Buffer | undefined> {
    const entry = await this.store.read(this.materialPath(keyId, materialId), signal);
    if (!entry) {
      return undefined;
    }
    const material = Buffer.from(textOf(entry.data['material'], ''), 'base64');
    if (material.length !== KEY_BYTES) {
      throw new KmsError('kms-protocol', `${this.kms}: the material of key ${keyId} is not ${KEY_BYTES} bytes long`);
    }
    return material;
  }

  /** @throws KmsError `kms-key-exists` */
  async create(keyId: string, material: Buffer, signal: AbortSignal): Promise<void> {
    if (await this.find(keyId, signal)) {
      throw this.exists(keyId);
    }
    const version = await this.addMaterial(keyId, 1, material, signal);
    const written = await this.write({ keyId, enabled: true, versions: [version], revision: 0 }, signal);
    if (!written) {
      throw this.exists(keyId);
    }
  }

  /** Adds a version that is used from now on. @throws KmsError */
  async rotate(key: KvKey, signal: AbortSignal): Promise<void> {
    const latest = key.versions.at(-1)?.version ?? 0;
    const version = await this.addMaterial(key.keyId, latest + 1, randomBytes(KEY_BYTES), signal);
    await this.replace({ ...key, versions: [...key.versions, version] }, signal);
  }

  /** @throws KmsError */
  async setEnabled(key: KvKey, enabled: boolean, signal: AbortSignal): Promise<void> {
    await this.replace({ ...key, enabled }, signal);
  }

  /** Destroys all material first, so that a key half destroyed is still found, and destroyed, by its name. @throws KmsError */
  async destroy(keyId: string, signal: AbortSignal): Promise<void> {
    for (const materialId of await this.store.list(`${this.prefix}/${keyId}`, signal)) {
      await this.store.destroy(this.materialPath(keyId, materialId), signal);
    }
    await this.store.destroy(`${this.prefix}/${keyId}`, signal);
  }

  /** @throws KmsError */
  async names(signal: AbortSignal): Promise<string[]> {
    return this.store.list(this.prefix, signal);
  }

  private async replace(key: KvKey, signal: AbortSignal): Promise<void> {
    if (!(await this.write(key, signal))) {
      throw new KmsError('kms-unavailable', `${this.kms}: key ${key.keyId} was changed by somebody else just now`, {
        remedy: 'Try again.',
      });
    }
  }

  private async write(key: KvKey, signal: AbortSignal): Promise<boolean> {
    const data = {
      format: '1',
      state: key.enabled ? 'enabled' : 'disabled',
      versions: JSON.stringify(key.versions),
    };
    return this.store.write(`${this.prefix}/${key.keyId}`, data, key.revision, signal);
  }

  private async addMaterial(
    keyId: string,
    version: number,
    material: Buffer,
    signal: AbortSignal,
  ): Promise<KvKeyVersion> {
    const materialId = randomBytes(MATERIAL_ID_BYTES).toString('hex');
    const createdAt = new Date().toISOString();
    const data = { material: material.toString('base64'), version: String(version), created_at: createdAt };
    await this.store.write(this.materialPath(keyId, materialId), data, 0, signal);
    return { version, materialId, createdAt };
  }

  private materialPath(keyId: string, materialId: string): string {
    return `${this.prefix}/${keyId}/${materialId}`;
  }

  private readKey(keyId: string, data: VaultObject, revision: number): KvKey {
    const versions = parseVersions(data['versions']);
    if (data['format'] !== '1' || versions.length === 0) {
      throw new KmsError('kms-protocol', `${this.kms} describes key ${keyId} in an unknown way`, {
        remedy: 'Point key_prefix to a path of its own.',
      });
    }
    return { keyId, enabled: data['state'] !== 'disabled', versions, revision };
  }

  private exists(keyId: string): KmsError {
    return new KmsError('kms-key-exists', `${this.kms} already has a key ${keyId}`);
  }
}

function parseVersions(text: unknown): KvKeyVersion[] {
  const list = parseJson(text);
  return (Array.isArray(list) ? list : []).flatMap((each: unknown) => {
    const { version, materialId, createdAt } = objectOf(each);
    const sound = typeof version === 'number' && typeof materialId === 'string' && /^[0-9a-f]{32}$/.test(materialId);
    return sound ? [{ version, materialId, createdAt: textOf(createdAt, '') }] : [];
  });
}

function parseJson(text: unknown): unknown {
  try {
    return JSON.parse(textOf(text, ''));
  } catch {
    return undefined;
  }
}
