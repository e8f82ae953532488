import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { EncryptionContext } from '../../common/encryption-context';
import { requestContext } from '../../common/request-context';
import { SealedBoxError } from '../../common/sealed-box';
import { KmsError } from '../kms-error';
import type { ConnectionTestReport, KeyDescription, KeyPage, KmsProvider, ProviderDataKey } from '../kms-provider';
import type { Keyring, OpenKey } from '../keyring';
import type { KeyringKind, KeyringRow } from '../keyring.repository';
import { StepRecorder } from '../step-recorder';
import { keyringVersionOf, unwrapWithKeyring, wrapWithKeyring } from './builtin-ciphertext';
import { unwrapAsMinio, wrapAsMinio, type MinioStaticKey } from './builtin-minio-ciphertext';
import type { BuiltinSettings } from './builtin-settings';
import { capabilities, contextBytes, KEY_BYTES } from './provider-parts';

/** The key that wraps the data keys of SSE-S3; made by itself, and never to be disabled or deleted. */
export const SERVER_KEY_ID = 'strongroom-sse-s3';

const KEY_ID = /^\w(?:[\w.@+=-]{0,126}\w)?$/;
const MIN_DELETION_DAYS = 7;
const MAX_DELETION_DAYS = 30;
const DAY = 86_400_000;
const SWEEP_INTERVAL = 3_600_000;

/**
 * The embedded keyring as a KMS: versioned keys in Postgres, sealed by the root key. A key that is disabled or waits for
 * its deletion refuses to unwrap as well, as AWS KMS does.
 */
export class BuiltinProvider implements KmsProvider {
  readonly type = 'builtin';
  readonly capabilities = capabilities(
    'createKey',
    'importKey',
    'listKeys',
    'rotateKey',
    'enableDisable',
    'scheduleDeletion',
    'bindsContext',
    'keyVersions',
  );
  readonly defaultKeyId: string;
  private sweeper: NodeJS.Timeout | undefined;

  constructor(
    private readonly keyring: Keyring,
    private readonly settings: BuiltinSettings,
  ) {
    this.defaultKeyId = settings.defaultKeyId;
  }

  async init(): Promise<void> {
    this.sweeper = setInterval(() => void this.destroyDueKeys(), SWEEP_INTERVAL);
    this.sweeper.unref();
    await this.importStaticKey();
  }

  async destroy(): Promise<void> {
    clearInterval(this.sweeper);
    return Promise.resolve();
  }

  async generateDataKey(keyId: string, context: EncryptionContext): Promise<ProviderDataKey> {
    const key = usable(keyId, (await this.open(keyId)) ?? (await this.createOwnKey(keyId)));
    const plaintext = randomBytes(KEY_BYTES);
    const material = versionOf(key, key.latest);
    const aad = contextBytes(context);
    const ciphertext =
      key.row.kind === 'minio-static'
        ? wrapAsMinio(material, plaintext, aad)
        : wrapWithKeyring({ keyId, version: key.latest, material }, plaintext, aad);
    return { plaintext, ciphertext, keyVersion: String(key.latest) };
  }

  async decryptDataKey(keyId: string, ciphertext: Buffer, context: EncryptionContext): Promise<Buffer> {
    const key = usable(keyId, await this.open(keyId));
    const aad = contextBytes(context);
    if (key.row.kind === 'minio-static') {
      return unwrapAsMinio(versionOf(key, key.latest), ciphertext, aad);
    }
    const version = keyringVersionOf(ciphertext);
    return unwrapWithKeyring({ keyId, version, material: versionOf(key, version) }, ciphertext, aad);
  }

  async describeKey(keyId: string): Promise<KeyDescription> {
    const key = await this.open(keyId);
    if (!key) {
      throw notFound(keyId);
    }
    return describe(key);
  }

  async probe(): Promise<void> {
    await guarded(() => this.keyring.repository.find(SERVER_KEY_ID));
  }

  async testConnection(): Promise<ConnectionTestReport> {
    const steps = new StepRecorder();
    await steps.run('keyring', async () => {
      await this.probe();
      return 'The keyring tables answer';
    });
    await steps.run('static key', async () => {
      const given = this.settings.staticKey?.reveal();
      if (!given) {
        return { outcome: 'skipped', detail: 'No MinIO secret key is given' };
      }
      return (await this.findStaticKey(given))
        ? `MinIO key ${given.name} is in the keyring`
        : `MinIO key ${given.name} can be imported`;
    });
    await steps.run('round trip', async () => {
      const context = { purpose: 'connection-test' };
      const { plaintext, ciphertext } = await this.generateDataKey(SERVER_KEY_ID, context);
      const opened = await this.decryptDataKey(SERVER_KEY_ID, ciphertext, context);
      if (!timingSafeEqual(plaintext, opened)) {
        throw new KmsError('kms-protocol', 'The keyring returned another key than it wrapped');
      }
      return `Key ${SERVER_KEY_ID} wraps and unwraps`;
    });
    return steps.report();
  }

  async createKey(keyId: string): Promise<KeyDescription> {
    await this.insert(keyId, 'aes', randomBytes(KEY_BYTES));
    return this.describeKey(keyId);
  }

  async importKey(keyId: string, material: Buffer): Promise<KeyDescription> {
    await this.insert(keyId, 'aes', material);
    return this.describeKey(keyId);
  }

  async listKeys(pattern: string, marker: string | undefined, limit: number): Promise<KeyPage> {
    const rows = await guarded(() => this.keyring.repository.list(likePattern(pattern), marker ?? '', limit + 1));
    const page = rows.slice(0, limit);
    return {
      keys: page.map((row) => ({ ...describeRow(row), latestVersion: String(row.latest) })),
      nextMarker: rows.length > limit ? page.at(-1)?.keyId : undefined,
    };
  }

  async rotateKey(keyId: string): Promise<KeyDescription> {
    const material = randomBytes(KEY_BYTES);
    await this.change(keyId, () =>
      this.keyring.repository.addVersion(
        keyId,
        (row) => {
          usableRow(keyId, row);
          if (row?.kind === 'minio-static') {
            throw new KmsError('kms-unsupported', `Key ${keyId} is a MinIO static key, which has one version only`, {
              remedy: 'Create another key and make it the default; what this key wrapped stays readable.',
            });
          }
        },
        (version) => this.keyring.sealMaterial(keyId, version, material),
      ),
    );
    material.fill(0);
    return this.describeKey(keyId);
  }

  async setKeyEnabled(keyId: string, enabled: boolean): Promise<KeyDescription> {
    refuseForServerKey(keyId, !enabled);
    await this.change(keyId, () =>
      this.keyring.repository.setState(keyId, (row) => {
        if (row?.state === 'pending-deletion') {
          throw pendingDeletion(keyId);
        }
        existing(keyId, row);
        return { state: enabled ? 'enabled' : 'disabled' };
      }),
    );
    return this.describeKey(keyId);
  }

  async scheduleKeyDeletion(keyId: string, days: number): Promise<KeyDescription> {
    refuseForServerKey(keyId, true);
    if (!Number.isInteger(days) || days < MIN_DELETION_DAYS || days > MAX_DELETION_DAYS) {
      throw new KmsError(
        'kms-invalid-request',
        `A key waits ${MIN_DELETION_DAYS} to ${MAX_DELETION_DAYS} days for deletion`,
      );
    }
    const deletionDate = new Date(Date.now() + days * DAY);
    await this.change(keyId, () =>
      this.keyring.repository.setState(keyId, (row) => {
        existing(keyId, row);
        return { state: 'pending-deletion', deletionDate };
      }),
    );
    return this.describeKey(keyId);
  }

  /** The key comes back disabled, as in AWS KMS. */
  async cancelKeyDeletion(keyId: string): Promise<KeyDescription> {
    await this.change(keyId, () =>
      this.keyring.repository.setState(keyId, (row) => {
        if (existing(keyId, row).state !== 'pending-deletion') {
          throw new KmsError('kms-invalid-request', `Key ${keyId} is not waiting for deletion`);
        }
        return { state: 'disabled' };
      }),
    );
    return this.describeKey(keyId);
  }

  private async open(keyId: string): Promise<OpenKey | undefined> {
    return guarded(() => this.keyring.open(keyId));
  }

  /** The server's own key and the configured default exist on first use; others are only made by an administrator. */
  private async createOwnKey(keyId: string): Promise<OpenKey | undefined> {
    if (keyId !== SERVER_KEY_ID && keyId !== this.defaultKeyId) {
      return undefined;
    }
    await this.insert(keyId, 'aes', randomBytes(KEY_BYTES)).catch((error: unknown) => {
      if (!(error instanceof KmsError && error.kind === 'kms-key-exists')) {
        throw error;
      }
    });
    return this.open(keyId);
  }

  private async importStaticKey(): Promise<void> {
    const given = this.settings.staticKey?.reveal();
    if (given && !(await this.findStaticKey(given))) {
      await this.insert(given.name, 'minio-static', Buffer.from(given.material));
    }
  }

  /** @throws KmsError `kms-key-exists` when the keyring holds a different key of that name */
  private async findStaticKey(given: MinioStaticKey): Promise<OpenKey | undefined> {
    const stored = await this.open(given.name);
    if (
      stored &&
      (stored.row.kind !== 'minio-static' || !timingSafeEqual(versionOf(stored, stored.latest), given.material))
    ) {
      throw new KmsError(
        'kms-key-exists',
        `The keyring holds another key named ${given.name} than the MinIO secret key given`,
        {
          remedy: 'Give the MinIO secret key that was used first, or leave the setting empty to use the stored key.',
        },
      );
    }
    return stored;
  }

  private async insert(keyId: string, kind: KeyringKind, material: Buffer): Promise<void> {
    if (!KEY_ID.test(keyId)) {
      throw new KmsError(
        'kms-invalid-request',
        'A key id has 1 to 128 letters, digits and . _ - @ + =, none of the latter at its ends',
      );
    }
    if (material.length !== KEY_BYTES) {
      throw new KmsError('kms-invalid-request', `Key material has ${KEY_BYTES} bytes`);
    }
    const sealed = this.keyring.sealMaterial(keyId, 1, material);
    const createdBy = requestContext.getStore()?.principal;
    const inserted = await guarded(() => this.keyring.repository.insert(keyId, kind, createdBy, sealed));
    material.fill(0);
    this.keyring.changed(keyId);
    if (!inserted) {
      throw new KmsError('kms-key-exists', `The keyring already has a key ${keyId}`);
    }
  }

  private async change(keyId: string, work: () => Promise<void>): Promise<void> {
    await guarded(work);
    this.keyring.changed(keyId);
  }

  private async destroyDueKeys(): Promise<void> {
    const ids = await this.keyring.repository.deleteDue().catch(() => []);
    ids.forEach((keyId) => this.keyring.changed(keyId));
  }
}

/** Database trouble and a wrong root key become failures of this KMS. */
async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof KmsError) {
      throw cause;
    }
    if (cause instanceof SealedBoxError) {
      throw new KmsError('kms-unavailable', 'The embedded keyring cannot be opened with this root key', {
        cause,
        retryable: false,
        remedy: 'Start with the root key that this database was first used with.',
      });
    }
    throw new KmsError('kms-unavailable', 'The embedded keyring cannot reach its database', { cause });
  }
}

function usable(keyId: string, key: OpenKey | undefined): OpenKey {
  usableRow(keyId, key?.row);
  if (!key) {
    throw notFound(keyId);
  }
  return key;
}

function usableRow(keyId: string, row: KeyringRow | undefined): void {
  const { state } = existing(keyId, row);
  if (state === 'disabled') {
    throw new KmsError('kms-key-disabled', `Key ${keyId} is disabled`, { remedy: 'Enable the key.' });
  }
  if (state === 'pending-deletion') {
    throw pendingDeletion(keyId);
  }
}

function existing(keyId: string, row: KeyringRow | undefined): KeyringRow {
  if (!row) {
    throw notFound(keyId);
  }
  return row;
}

function versionOf(key: OpenKey, version: number): Buffer {
  const found = key.versions.get(version);
  if (!found) {
    throw new KmsError('kms-invalid-ciphertext', `Key ${key.row.keyId} has no version ${version}`);
  }
  return found.material;
}

function refuseForServerKey(keyId: string, destructive: boolean): void {
  if (destructive && keyId === SERVER_KEY_ID) {
    throw new KmsError(
      'kms-invalid-request',
      `Key ${keyId} protects every SSE-S3 object and cannot be disabled or deleted`,
    );
  }
}

function notFound(keyId: string): KmsError {
  return new KmsError('kms-key-not-found', `The embedded keyring has no key ${keyId}`, {
    remedy: 'Create the key, or name another.',
  });
}

function pendingDeletion(keyId: string): KmsError {
  return new KmsError('kms-key-pending-deletion', `Key ${keyId} is waiting for its deletion`, {
    remedy: 'Cancel the deletion.',
  });
}

function describeRow(row: KeyringRow): KeyDescription {
  return {
    keyId: row.keyId,
    state: row.state,
    algorithm: 'AES-256-GCM',
    createdAt: row.createdAt,
    createdBy: row.createdBy ?? undefined,
    description: row.kind === 'minio-static' ? 'MinIO static key' : undefined,
    deletionDate: row.deletionDate ?? undefined,
  };
}

function describe(key: OpenKey): KeyDescription {
  return {
    ...describeRow(key.row),
    latestVersion: String(key.latest),
    versions: [...key.versions].map(([version, { createdAt }]) => ({ version: String(version), createdAt })),
  };
}

/** Translates a pattern with `*` and `?` into one of SQL LIKE; an empty pattern matches everything. */
function likePattern(pattern: string): string {
  return pattern === ''
    ? '%'
    : pattern
        .replace(/[\\%_]/g, '\\$&')
        .replaceAll('*', '%')
        .replaceAll('?', '_');
}
