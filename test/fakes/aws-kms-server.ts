import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { Secret } from '../../src/common/secret';
import type { Credential } from '../../src/identity/identity.types';
import { sessionTokenDigest } from '../../src/identity/session-token';
import { SignatureError, type SignatureErrorKind } from '../../src/identity/sigv4/signature-error';
import { verifySignature } from '../../src/identity/sigv4/signature-verifier';
import { openBytes, sealBytes } from './scripted-cipher';
import {
  ScriptedServer,
  type ScriptedAnswer,
  type ScriptedRequest,
  type ScriptedServerOptions,
} from './scripted-server';

type Input = Readonly<Record<string, unknown>>;

interface Material {
  readonly id: string;
  readonly bytes: Buffer;
}

interface AwsKey {
  readonly id: string;
  readonly arn: string;
  readonly createdAt: number;
  readonly description: string;
  state: 'Enabled' | 'Disabled' | 'PendingDeletion';
  deletionDate?: number;
  rotationDays?: number;
  readonly materials: Material[];
}

/** An answer that AWS gives instead of a result. */
class AwsFault extends Error {
  constructor(
    readonly type: string,
    message: string,
  ) {
    super(message);
  }
}

const REGION = 'eu-central-1';
const ACCOUNT = '111122223333';
const DAY = 86_400;

/** What AWS KMS calls the failures that have other names in S3. */
const AUTHENTICATION_FAULTS: Partial<Record<SignatureErrorKind, string>> = {
  InvalidAccessKeyId: 'UnrecognizedClientException',
  InvalidToken: 'UnrecognizedClientException',
  ExpiredToken: 'ExpiredTokenException',
};

/** The members each operation takes, and whether it takes an alias for a key. */
const OPERATIONS: Readonly<Record<string, { readonly members: readonly string[]; readonly aliases?: boolean }>> = {
  CreateKey: { members: ['KeySpec', 'Description'] },
  CreateAlias: { members: ['AliasName', 'TargetKeyId'] },
  DescribeKey: { members: ['KeyId'], aliases: true },
  GenerateDataKey: { members: ['KeyId', 'KeySpec', 'EncryptionContext', 'DryRun'], aliases: true },
  Decrypt: { members: ['KeyId', 'CiphertextBlob', 'EncryptionContext', 'DryRun'], aliases: true },
  ReEncrypt: {
    members: [
      'CiphertextBlob',
      'SourceKeyId',
      'SourceEncryptionContext',
      'DestinationKeyId',
      'DestinationEncryptionContext',
      'DryRun',
    ],
  },
  ListKeys: { members: ['Limit', 'Marker'] },
  ListAliases: { members: ['Limit', 'Marker'] },
  EnableKey: { members: ['KeyId'] },
  DisableKey: { members: ['KeyId'] },
  EnableKeyRotation: { members: ['KeyId', 'RotationPeriodInDays'] },
  GetKeyRotationStatus: { members: ['KeyId'] },
  RotateKeyOnDemand: { members: ['KeyId'] },
  ScheduleKeyDeletion: { members: ['KeyId', 'PendingWindowInDays'] },
  CancelKeyDeletion: { members: ['KeyId'] },
};

/**
 * A scripted AWS KMS: JSON 1.1, Signature Version 4 checked with the program's own verifier, aliases, key states, and
 * encryption context. It refuses members and combinations that AWS refuses.
 */
export class FakeAwsKms {
  readonly server: ScriptedServer;
  readonly region = REGION;
  readonly accessKey = 'AKIAFAKEFAKEFAKEFAKE';
  readonly secretKey = randomBytes(20).toString('hex');
  private readonly keys = new Map<string, AwsKey>();
  private readonly aliases = new Map<string, string>();
  private readonly denied = new Set<string>();
  private readonly sessions = new Map<string, Credential>();
  private revoked = false;

  constructor(options: ScriptedServerOptions = {}) {
    this.server = new ScriptedServer(options, (request) => this.handle(request));
  }

  get url(): string {
    return this.server.url;
  }

  /** Makes a key with an alias. @returns its id */
  createKey(alias: string): string {
    const { KeyId } = this.newKey().KeyMetadata;
    this.aliases.set(`alias/${alias}`, KeyId);
    return KeyId;
  }

  pointAlias(alias: string, keyId: string): void {
    this.aliases.set(`alias/${alias}`, keyId);
  }

  rotationDays(alias: string): number | undefined {
    return this.keys.get(this.aliases.get(`alias/${alias}`) ?? '')?.rotationDays;
  }

  /** @param action such as `kms:ListKeys` */
  deny(action: string): void {
    this.denied.add(action);
  }

  revokeCredentials(revoked = true): void {
    this.revoked = revoked;
  }

  /** Makes temporary credentials, as the security token service does. */
  startSession(expiresAt: Date): { readonly accessKey: string; readonly secretKey: string; readonly token: string } {
    const accessKey = `ASIA${randomBytes(8).toString('hex').toUpperCase()}`;
    const [secretKey, token] = [randomBytes(20).toString('hex'), randomBytes(40).toString('base64')];
    const session = { tokenDigest: sessionTokenDigest(token), expiresAt };
    this.sessions.set(accessKey, { ...credentialOf(accessKey, secretKey), session });
    return { accessKey, secretKey, token };
  }

  close(): Promise<void> {
    return this.server.close();
  }

  private async handle(request: ScriptedRequest): Promise<ScriptedAnswer> {
    const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-requestid': randomUUID() };
    try {
      await this.authenticate(request);
      return { status: 200, headers, body: this.dispatch(request) };
    } catch (error) {
      if (error instanceof AwsFault) {
        const status = error.type === 'KMSInternalException' ? 500 : 400;
        return { status, headers, body: { __type: error.type, message: error.message } };
      }
      throw error;
    }
  }

  private async authenticate({ method, path, query, headers, body }: ScriptedRequest): Promise<void> {
    try {
      const verified = await verifySignature(
        {
          method,
          rawPath: path,
          rawQuery: query,
          headers,
          query: new Map(new URLSearchParams(query)),
          bodyHash: createHash('sha256').update(body).digest('hex'),
        },
        { region: REGION, services: ['kms'], clockSkewSeconds: 300 },
        (accessKeyId) => Promise.resolve(this.credential(accessKeyId)),
        new Date(),
      );
      if (!verified) {
        throw new AwsFault('MissingAuthenticationTokenException', 'Missing Authentication Token');
      }
      for (const name of ['host', 'x-amz-date', 'x-amz-target']) {
        if (!verified.signedHeaders.has(name)) {
          throw new AwsFault('IncompleteSignatureException', `${name} is not signed`);
        }
      }
    } catch (error) {
      if (error instanceof SignatureError) {
        throw new AwsFault(AUTHENTICATION_FAULTS[error.kind] ?? 'InvalidSignatureException', error.message);
      }
      throw error;
    }
  }

  private credential(accessKeyId: string): Credential | undefined {
    if (this.revoked) {
      return undefined;
    }
    return accessKeyId === this.accessKey ? credentialOf(accessKeyId, this.secretKey) : this.sessions.get(accessKeyId);
  }

  private dispatch({ method, path, headers, body }: ScriptedRequest): unknown {
    const target = String(headers['x-amz-target']);
    const name = /^TrentService\.(\w+)$/.exec(target)?.[1] ?? '';
    const operation = OPERATIONS[name];
    if (method !== 'POST' || path !== '/' || headers['content-type'] !== 'application/x-amz-json-1.1' || !operation) {
      throw new AwsFault('UnknownOperationException', `${method} ${path} ${target}`);
    }
    // Re-encrypting takes a permission on either key, and has none of its own name.
    for (const action of name === 'ReEncrypt' ? ['ReEncryptFrom', 'ReEncryptTo'] : [name]) {
      this.assertAllowed(action);
    }
    const input = JSON.parse(body.toString('utf8')) as Input;
    const stranger = Object.keys(input).find((member) => !operation.members.includes(member));
    if (stranger !== undefined) {
      throw new AwsFault('ValidationException', `Unknown member ${stranger}`);
    }
    return this.perform(
      name,
      input,
      operation.members.includes('KeyId') ? this.find(input, operation.aliases) : undefined,
    );
  }

  private assertAllowed(action: string): void {
    if (this.denied.has(`kms:${action}`)) {
      throw new AwsFault(
        'AccessDeniedException',
        `User: arn:aws:iam::${ACCOUNT}:user/test is not authorized to perform: kms:${action}`,
      );
    }
  }

  private perform(name: string, input: Input, key: AwsKey | undefined): unknown {
    switch (name) {
      case 'CreateKey':
        return this.newKey(input['Description'] as string | undefined);
      case 'CreateAlias':
        return this.newAlias(String(input['AliasName']), String(input['TargetKeyId']));
      case 'ReEncrypt':
        return this.reEncrypt(input);
      case 'ListKeys':
        return this.page(input, [...this.keys.values()], 'Keys', ({ id, arn }) => ({ KeyId: id, KeyArn: arn }));
      case 'ListAliases':
        return this.page(input, [...this.aliases], 'Aliases', ([AliasName, TargetKeyId]) => ({
          AliasName,
          TargetKeyId,
        }));
      default:
        return this.onKey(name, input, key as AwsKey);
    }
  }

  private onKey(name: string, input: Input, key: AwsKey): unknown {
    if (name === 'DescribeKey') {
      return { KeyMetadata: metadata(key) };
    }
    if (name === 'GetKeyRotationStatus') {
      return rotationStatus(key);
    }
    if (name === 'CancelKeyDeletion') {
      if (key.state !== 'PendingDeletion') {
        throw new AwsFault('KMSInvalidStateException', `${key.arn} is not pending deletion.`);
      }
      key.state = 'Disabled';
      return { KeyId: key.arn };
    }
    assertNotPending(key);
    switch (name) {
      case 'EnableKey':
        key.state = 'Enabled';
        return {};
      case 'DisableKey':
        key.state = 'Disabled';
        return {};
      case 'ScheduleKeyDeletion':
        return scheduleDeletion(key, Number(input['PendingWindowInDays'] ?? 30));
      default:
        return useKey(name, input, key);
    }
  }

  private reEncrypt(input: Input): unknown {
    const [source, destination] = [input['SourceKeyId'], input['DestinationKeyId']].map((KeyId) =>
      this.find({ KeyId }, true),
    ) as [AwsKey, AwsKey];
    assertUsable(source);
    assertUsable(destination);
    const context = (side: string): Input => ({ EncryptionContext: input[`${side}EncryptionContext`] });
    const opened = decrypt({ ...context('Source'), CiphertextBlob: input['CiphertextBlob'] }, source);
    refuseDryRun(input);
    const sealed = wrap(Buffer.from(opened.Plaintext, 'base64'), context('Destination'), destination);
    return {
      ...sealed,
      SourceKeyId: source.arn,
      SourceEncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
      SourceKeyMaterialId: opened.KeyMaterialId,
      DestinationEncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
      DestinationKeyMaterialId: sealed.KeyMaterialId,
      KeyMaterialId: undefined,
    };
  }

  private newKey(description = ''): { KeyMetadata: { KeyId: string } } {
    const id = randomUUID();
    const key: AwsKey = {
      id,
      arn: `arn:aws:kms:${REGION}:${ACCOUNT}:key/${id}`,
      createdAt: Math.floor(Date.now() / 1_000),
      description,
      state: 'Enabled',
      materials: [newMaterial()],
    };
    this.keys.set(id, key);
    return { KeyMetadata: metadata(key) };
  }

  private newAlias(alias: string, target: string): unknown {
    if (!/^alias\/[A-Za-z0-9/_-]{1,250}$/.test(alias) || alias.startsWith('alias/aws/')) {
      throw new AwsFault('InvalidAliasNameException', 'invalid alias');
    }
    if (this.aliases.has(alias)) {
      throw new AwsFault('AlreadyExistsException', `An alias with the name ${alias} already exists`);
    }
    if (!this.keys.has(target)) {
      throw new AwsFault('NotFoundException', `Invalid keyId '${target}'`);
    }
    this.aliases.set(alias, target);
    return {};
  }

  private find(input: Input, takesAliases = false): AwsKey {
    const name = String(input['KeyId']).replace(new RegExp(`^arn:aws:kms:${REGION}:${ACCOUNT}:(key/)?`), '');
    if (name.startsWith('alias/') && !takesAliases) {
      throw new AwsFault('InvalidArnException', `Invalid keyId ${name}`);
    }
    const key = this.keys.get(name.startsWith('alias/') ? (this.aliases.get(name) ?? '') : name);
    if (!key) {
      throw new AwsFault('NotFoundException', `Alias or key ${name} is not found.`);
    }
    return key;
  }

  /** Small pages, so that clients have to follow the markers. */
  private page<T>(input: Input, all: readonly T[], member: string, show: (entry: T) => unknown): unknown {
    const start = Number(input['Marker'] ?? 0);
    const end = start + Math.min(Number(input['Limit'] ?? 100), 3);
    const more = end < all.length;
    return { [member]: all.slice(start, end).map(show), Truncated: more, ...(more ? { NextMarker: String(end) } : {}) };
  }
}

function credentialOf(accessKeyId: string, secretKey: string): Credential {
  return {
    accessKeyId,
    secretKey: new Secret(secretKey),
    status: 'enabled',
    principal: { kind: 'user', name: 'test', ownerId: 'test' },
  };
}

/** Starts a scripted AWS KMS. */
export async function startAwsKmsServer(options: ScriptedServerOptions = {}): Promise<FakeAwsKms> {
  const fake = new FakeAwsKms(options);
  await fake.server.listen();
  return fake;
}

function newMaterial(): Material {
  return { id: randomBytes(32).toString('hex'), bytes: randomBytes(32) };
}

function metadata(key: AwsKey): { readonly KeyId: string } & Input {
  return {
    AWSAccountId: ACCOUNT,
    KeyId: key.id,
    Arn: key.arn,
    CreationDate: key.createdAt,
    Description: key.description,
    Enabled: key.state === 'Enabled',
    KeyState: key.state,
    KeyUsage: 'ENCRYPT_DECRYPT',
    KeySpec: 'SYMMETRIC_DEFAULT',
    KeyManager: 'CUSTOMER',
    Origin: 'AWS_KMS',
    MultiRegion: false,
    CurrentKeyMaterialId: latest(key).id,
    ...(key.state === 'PendingDeletion' ? { DeletionDate: key.deletionDate } : {}),
  };
}

function rotationStatus({ arn, createdAt, rotationDays }: AwsKey): Input {
  return rotationDays === undefined
    ? { KeyId: arn, KeyRotationEnabled: false }
    : {
        KeyId: arn,
        KeyRotationEnabled: true,
        RotationPeriodInDays: rotationDays,
        NextRotationDate: createdAt + rotationDays * DAY,
      };
}

function latest(key: AwsKey): Material {
  return key.materials.at(-1) as Material;
}

function scheduleDeletion(key: AwsKey, days: number): unknown {
  if (!Number.isInteger(days) || days < 7 || days > 30) {
    throw new AwsFault('ValidationException', 'PendingWindowInDays must be between 7 and 30');
  }
  key.state = 'PendingDeletion';
  key.deletionDate = Math.floor(Date.now() / 1_000) + days * DAY;
  return { KeyId: key.arn, DeletionDate: key.deletionDate, KeyState: key.state, PendingWindowInDays: days };
}

function assertNotPending({ state, arn }: AwsKey): void {
  if (state === 'PendingDeletion') {
    throw new AwsFault('KMSInvalidStateException', `${arn} is pending deletion.`);
  }
}

function assertUsable(key: AwsKey): void {
  assertNotPending(key);
  if (key.state === 'Disabled') {
    throw new AwsFault('DisabledException', `${key.arn} is disabled.`);
  }
}

function useKey(name: string, input: Input, key: AwsKey): unknown {
  assertUsable(key);
  switch (name) {
    case 'RotateKeyOnDemand':
      key.materials.push(newMaterial());
      return { KeyId: key.arn };
    case 'EnableKeyRotation':
      key.rotationDays = Number(input['RotationPeriodInDays'] ?? 365);
      return {};
    case 'GenerateDataKey':
      return generate(input, key);
    default:
      return decrypt(input, key);
  }
}

function generate(input: Input, key: AwsKey): unknown {
  if (input['KeySpec'] !== 'AES_256') {
    throw new AwsFault('ValidationException', 'KeySpec must be AES_256');
  }
  refuseDryRun(input);
  const plaintext = randomBytes(32);
  return { ...wrap(plaintext, input, key), Plaintext: plaintext.toString('base64') };
}

function wrap(plaintext: Buffer, input: Input, key: AwsKey): { readonly KeyMaterialId: string } & Input {
  const material = latest(key);
  const head = Buffer.from(`${key.id}${material.id}`, 'latin1');
  const sealed = sealBytes(material.bytes, plaintext, associated(head, input));
  return {
    KeyId: key.arn,
    KeyMaterialId: material.id,
    CiphertextBlob: Buffer.concat([head, sealed]).toString('base64'),
  };
}

function decrypt(
  input: Input,
  key: AwsKey,
): { readonly KeyId: string; readonly KeyMaterialId: string; readonly Plaintext: string } {
  const blob = Buffer.from(String(input['CiphertextBlob']), 'base64');
  const head = blob.subarray(0, 100);
  const keyId = head.subarray(0, 36).toString('latin1');
  if (blob.length > 100 && keyId !== key.id && /^[0-9a-f-]{36}$/.test(keyId)) {
    throw new AwsFault(
      'IncorrectKeyException',
      'The key ID in the request does not identify a CMK that can perform this.',
    );
  }
  const material = key.materials.find(({ id }) => id === head.subarray(36).toString('latin1'));
  const plaintext = material && openBytes(material.bytes, blob.subarray(100), associated(head, input));
  if (!material || !plaintext) {
    throw new AwsFault('InvalidCiphertextException', '');
  }
  refuseDryRun(input);
  return { KeyId: key.arn, KeyMaterialId: material.id, Plaintext: plaintext.toString('base64') };
}

function refuseDryRun(input: Input): void {
  if (input['DryRun'] === true) {
    throw new AwsFault('DryRunOperationException', 'The request would have succeeded, but the DryRun option is set.');
  }
}

function associated(head: Buffer, input: Input): Buffer {
  const context = (input['EncryptionContext'] ?? {}) as Record<string, string>;
  const sorted = Object.entries(context).sort(([left], [right]) => (left < right ? -1 : 1));
  return Buffer.concat([head, Buffer.from(JSON.stringify(sorted), 'utf8')]);
}
