import type { KeyMetadata } from '@aws-sdk/client-kms';
import type { EncryptionContext } from '../../common/encryption-context';
import { KmsError } from '../kms-error';
import type {
  BoundDataKey,
  CallOptions,
  ConnectionTestReport,
  KeyDescription,
  KeyPage,
  KeyState,
  KmsProvider,
  OwnRotation,
  ProviderDataKey,
  ProviderWrappedKey,
} from '../kms-provider';
import { AwsClient } from './aws-client';
import { testAwsConnection } from './aws-connection-test';
import { AwsKeyNames, awsKeyVersion, isAwsKeyId, shortAwsKeyName } from './aws-key-name';
import { awsPolicyRemedy } from './aws-policy';
import type { AwsSettings } from './aws-settings';
import { checkDeletionWindow } from './deletion-window';
import { listingPage } from './key-listing';
import { capabilities, ifThere, receivedDataKey, withPermissionRemedy } from './provider-parts';

const MAX_CIPHERTEXT_BYTES = 6_144;
const SHORTEST_WINDOW = 7;
/** What AWS takes unless told otherwise. */
const YEAR_DAYS = 365;
const LIST_PAGE = 100;

/**
 * AWS Key Management Service. Data keys are made and unwrapped by AWS with the encryption context as its
 * `EncryptionContext`; keys are administered by their id, and named by their alias.
 */
export class AwsProvider implements KmsProvider {
  readonly type = 'aws';
  readonly capabilities = capabilities(
    'createKey',
    'listKeys',
    'rotateKey',
    'enableDisable',
    'scheduleDeletion',
    'rewrap',
    'bindsContext',
    'keyVersions',
  );
  readonly defaultKeyId: string;
  private readonly client: AwsClient;
  private readonly names: AwsKeyNames;

  /** @param kms `aws:<target>`, for messages */
  constructor(
    private readonly kms: string,
    private readonly settings: AwsSettings,
  ) {
    this.client = new AwsClient(kms, settings);
    this.names = new AwsKeyNames(kms, settings.keyName);
    this.defaultKeyId = this.names.defaultKeyId;
  }

  /** Loads the SDK; the first call connects, so that an AWS that is down delays no start. */
  async init(): Promise<void> {
    await this.client.load();
  }

  async destroy(): Promise<void> {
    await this.client.close();
  }

  async generateDataKey(keyId: string, context: EncryptionContext, { signal }: CallOptions): Promise<ProviderDataKey> {
    const KeyId = this.names.toAws(keyId);
    const answer = await this.send(KeyId, signal, ({ sdk, client }, options) =>
      client.send(
        new sdk.GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256', EncryptionContext: { ...context } }),
        options,
      ),
    );
    const wrapped = this.readWrapped(answer.CiphertextBlob, answer.KeyId, answer.KeyMaterialId);
    return { plaintext: this.readPlaintext(answer.Plaintext), ...wrapped };
  }

  async decryptDataKey(
    keyId: string,
    ciphertext: Buffer,
    context: EncryptionContext,
    keyVersion: string | undefined,
    { signal }: CallOptions,
  ): Promise<Buffer> {
    const KeyId = this.names.toUnwrap(keyId, keyVersion);
    this.checkCiphertext(ciphertext);
    const answer = await this.send(KeyId, signal, ({ sdk, client }, options) =>
      client.send(
        new sdk.DecryptCommand({ KeyId, CiphertextBlob: ciphertext, EncryptionContext: { ...context } }),
        options,
      ),
    );
    return this.readPlaintext(answer.Plaintext);
  }

  /** Under any two keys of the region that the credentials may use. */
  async canRewrap(): Promise<boolean> {
    return Promise.resolve(true);
  }

  /** AWS takes them one by one. */
  async rewrapDataKeys(
    from: string,
    to: string,
    wrapped: readonly BoundDataKey[],
    { signal }: CallOptions,
  ): Promise<ProviderWrappedKey[]> {
    return Promise.all(wrapped.map((each) => this.reEncrypt(from, to, each, signal)));
  }

  private async reEncrypt(
    from: string,
    to: string,
    { ciphertext, context, keyVersion }: BoundDataKey,
    signal: AbortSignal,
  ): Promise<ProviderWrappedKey> {
    const DestinationKeyId = this.names.toAws(to);
    this.checkCiphertext(ciphertext);
    const input = {
      CiphertextBlob: ciphertext,
      SourceKeyId: this.names.toUnwrap(from, keyVersion),
      SourceEncryptionContext: { ...context },
      DestinationKeyId,
      DestinationEncryptionContext: { ...context },
    };
    const answer = await this.send(DestinationKeyId, signal, ({ sdk, client }, options) =>
      client.send(new sdk.ReEncryptCommand(input), options),
    );
    return this.readWrapped(answer.CiphertextBlob, answer.KeyId, answer.DestinationKeyMaterialId);
  }

  async describeKey(keyId: string, { signal }: CallOptions): Promise<KeyDescription> {
    const metadata = await this.metadata(keyId, signal);
    const ownRotation = await this.ownRotation(metadata, signal);
    return { ...describe(shortAwsKeyName(keyId), metadata), ownRotation };
  }

  async probe({ signal }: CallOptions): Promise<void> {
    await this.metadata(this.defaultKeyId, signal);
  }

  async testConnection({ signal }: CallOptions): Promise<ConnectionTestReport> {
    return testAwsConnection({
      kms: this.kms,
      settings: this.settings,
      client: this.client,
      names: this.names,
      provider: this,
      signal,
    });
  }

  /** Makes a symmetric key and an alias for it; AWS chooses the id of the key itself. */
  async createKey(keyId: string, options: CallOptions): Promise<KeyDescription> {
    const name = shortAwsKeyName(keyId);
    const AliasName = this.names.toAws(name);
    if (isAwsKeyId(name) || name.startsWith('aws/')) {
      throw new KmsError('kms-invalid-request', `${name} cannot be chosen as the name of a key of ${this.kms}`);
    }
    await this.refuseExisting(name, options);
    const { KeyMetadata } = await this.send('*', options.signal, ({ sdk, client }, abort) =>
      client.send(
        new sdk.CreateKeyCommand({ KeySpec: 'SYMMETRIC_DEFAULT', Description: `Strongroom: ${name}` }),
        abort,
      ),
    );
    const TargetKeyId = this.idOf(KeyMetadata);
    try {
      await this.send('*', options.signal, ({ sdk, client }, abort) =>
        client.send(new sdk.CreateAliasCommand({ AliasName, TargetKeyId }), abort),
      );
    } catch (error) {
      await this.dropUnnamed(TargetKeyId, options).catch(() => undefined);
      throw error;
    }
    const { rotationDays } = this.settings;
    if (rotationDays !== undefined) {
      await this.send(TargetKeyId, options.signal, ({ sdk, client }, abort) =>
        client.send(
          new sdk.EnableKeyRotationCommand({ KeyId: TargetKeyId, RotationPeriodInDays: rotationDays }),
          abort,
        ),
      );
    }
    return describe(name, KeyMetadata);
  }

  /** Lists aliases, and the ids of keys that have none; the keys that AWS manages are left out. */
  async listKeys(pattern: string, marker: string | undefined, limit: number, options: CallOptions): Promise<KeyPage> {
    const aliases = await this.aliases(options.signal);
    const named = new Set(aliases.map(({ target }) => target));
    const unnamed = (await this.keyIds(options.signal)).filter((id) => !named.has(id));
    const names = aliases.filter(({ name }) => !name.startsWith('aws/')).map(({ name }) => name);
    return listingPage([...names, ...unnamed], { pattern, marker, limit }, async (name) =>
      describe(name, await this.metadata(name, options.signal)),
    );
  }

  /** On demand; AWS may take a moment until it wraps with the new material. */
  async rotateKey(keyId: string, options: CallOptions): Promise<KeyDescription> {
    await this.onKey(keyId, options, ({ sdk, client }, KeyId, abort) =>
      client.send(new sdk.RotateKeyOnDemandCommand({ KeyId }), abort),
    );
    return this.describeKey(keyId, options);
  }

  async setKeyEnabled(keyId: string, enabled: boolean, options: CallOptions): Promise<KeyDescription> {
    const before = await this.onKey(keyId, options, ({ sdk, client }, KeyId, abort) =>
      enabled
        ? client.send(new sdk.EnableKeyCommand({ KeyId }), abort)
        : client.send(new sdk.DisableKeyCommand({ KeyId }), abort),
    );
    return { ...before, state: enabled ? 'enabled' : 'disabled' };
  }

  async scheduleKeyDeletion(keyId: string, days: number, options: CallOptions): Promise<KeyDescription> {
    checkDeletionWindow(days);
    let deletionDate: Date | undefined;
    const before = await this.onKey(keyId, options, async ({ sdk, client }, KeyId, abort) => {
      const command = new sdk.ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: days });
      deletionDate = (await client.send(command, abort)).DeletionDate;
    });
    return { ...before, state: 'pending-deletion', deletionDate };
  }

  async cancelKeyDeletion(keyId: string, options: CallOptions): Promise<KeyDescription> {
    const before = await this.onKey(keyId, options, ({ sdk, client }, KeyId, abort) =>
      client.send(new sdk.CancelKeyDeletionCommand({ KeyId }), abort),
    );
    return { ...before, state: 'disabled', deletionDate: undefined };
  }

  /** Administration takes ids only, and AWS takes a moment to show what was changed. @returns the key before */
  private async onKey(
    keyId: string,
    { signal }: CallOptions,
    work: (
      connection: Parameters<Parameters<AwsClient['send']>[1]>[0],
      id: string,
      abort: { readonly abortSignal: AbortSignal },
    ) => Promise<unknown>,
  ): Promise<KeyDescription> {
    const metadata = await this.metadata(keyId, signal);
    const arn = metadata.Arn ?? this.idOf(metadata);
    await this.send(arn, signal, (connection, abort) => work(connection, arn, abort));
    return describe(shortAwsKeyName(keyId), metadata);
  }

  private async metadata(keyId: string, signal: AbortSignal): Promise<KeyMetadata> {
    const KeyId = this.names.toAws(keyId);
    const { KeyMetadata } = await this.send(KeyId, signal, ({ sdk, client }, options) =>
      client.send(new sdk.DescribeKeyCommand({ KeyId }), options),
    );
    if (!KeyMetadata) {
      throw new KmsError('kms-protocol', `${this.kms} describes key ${keyId} in an unknown way`);
    }
    return KeyMetadata;
  }

  /** A key may be described by those who may not see this, and not every kind of key can have it. */
  private async ownRotation(metadata: KeyMetadata, signal: AbortSignal): Promise<OwnRotation | undefined> {
    const KeyId = metadata.Arn ?? this.idOf(metadata);
    try {
      const status = await this.send(KeyId, signal, ({ sdk, client }, options) =>
        client.send(new sdk.GetKeyRotationStatusCommand({ KeyId }), options),
      );
      const isOn = status.KeyRotationEnabled === true;
      return isOn ? { periodDays: status.RotationPeriodInDays ?? YEAR_DAYS, next: status.NextRotationDate } : undefined;
    } catch (error) {
      if (error instanceof KmsError && !error.retryable) {
        return undefined;
      }
      throw error;
    }
  }

  private async refuseExisting(name: string, { signal }: CallOptions): Promise<void> {
    if (await ifThere(this.metadata(name, signal))) {
      throw new KmsError('kms-key-exists', `${this.kms} already has a key ${name}`);
    }
  }

  /** Another caller took the alias first. */
  private async dropUnnamed(KeyId: string, { signal }: CallOptions): Promise<void> {
    await this.send(KeyId, signal, ({ sdk, client }, abort) =>
      client.send(new sdk.ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: SHORTEST_WINDOW }), abort),
    );
  }

  private async aliases(signal: AbortSignal): Promise<{ readonly name: string; readonly target: string }[]> {
    const found: { name: string; target: string }[] = [];
    for (let marker: string | undefined; ;) {
      const page = await this.send('*', signal, ({ sdk, client }, options) =>
        client.send(new sdk.ListAliasesCommand({ Limit: LIST_PAGE, Marker: marker }), options),
      );
      for (const { AliasName, TargetKeyId } of page.Aliases ?? []) {
        if (AliasName !== undefined && TargetKeyId !== undefined) {
          found.push({ name: shortAwsKeyName(AliasName), target: TargetKeyId });
        }
      }
      marker = page.Truncated === true ? page.NextMarker : undefined;
      if (marker === undefined) {
        return found;
      }
    }
  }

  private async keyIds(signal: AbortSignal): Promise<string[]> {
    const found: string[] = [];
    for (let marker: string | undefined; ;) {
      const page = await this.send('*', signal, ({ sdk, client }, options) =>
        client.send(new sdk.ListKeysCommand({ Limit: LIST_PAGE, Marker: marker }), options),
      );
      found.push(...(page.Keys ?? []).flatMap(({ KeyId }) => (KeyId === undefined ? [] : [KeyId])));
      marker = page.Truncated === true ? page.NextMarker : undefined;
      if (marker === undefined) {
        return found;
      }
    }
  }

  private async send<T>(key: string, signal: AbortSignal, call: Parameters<typeof this.client.send<T>>[1]): Promise<T> {
    try {
      return await this.client.send(signal, call);
    } catch (error) {
      throw withPermissionRemedy(error, () => awsPolicyRemedy(key.startsWith('arn:') ? key : '*'));
    }
  }

  private idOf(metadata: KeyMetadata | undefined): string {
    if (metadata?.KeyId === undefined) {
      throw new KmsError('kms-protocol', `${this.kms} does not tell the id of a key`);
    }
    return metadata.KeyId;
  }

  private checkCiphertext(ciphertext: Buffer): void {
    if (ciphertext.length === 0 || ciphertext.length > MAX_CIPHERTEXT_BYTES) {
      throw new KmsError('kms-invalid-ciphertext', `The wrapped data key is not one of ${this.kms}`);
    }
  }

  private readWrapped(
    blob: Uint8Array | undefined,
    keyArn: string | undefined,
    materialId: string | undefined,
  ): ProviderWrappedKey {
    if (!blob || blob.length === 0 || keyArn === undefined) {
      throw new KmsError('kms-protocol', `${this.kms} returned no wrapped data key`);
    }
    return { ciphertext: Buffer.from(blob), keyVersion: awsKeyVersion(keyArn, materialId) };
  }

  private readPlaintext(bytes: Uint8Array | undefined): Buffer {
    const plaintext = receivedDataKey(this.kms, Buffer.from(bytes ?? []));
    bytes?.fill(0);
    return plaintext;
  }
}

const STATES: Readonly<Record<string, KeyState>> = {
  Enabled: 'enabled',
  PendingDeletion: 'pending-deletion',
  PendingReplicaDeletion: 'pending-deletion',
};

function describe(keyId: string, metadata: KeyMetadata | undefined): KeyDescription {
  const version = awsKeyVersion(metadata?.KeyId ?? '', metadata?.CurrentKeyMaterialId);
  return {
    keyId,
    state: STATES[metadata?.KeyState ?? ''] ?? 'disabled',
    algorithm: metadata?.KeySpec ?? 'unknown',
    latestVersion: version,
    createdAt: metadata?.CreationDate,
    description: metadata?.Description === '' ? undefined : metadata?.Description,
    deletionDate: metadata?.DeletionDate,
  };
}
