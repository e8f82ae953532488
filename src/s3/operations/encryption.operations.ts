import { Injectable } from '@nestjs/common';
import { DataKeys } from '../../kms/data-keys';
import { BucketService } from '../../object-storage/bucket.service';
import type { BlockedEncryption, BucketEncryptionRule } from '../../object-storage/object-storage.types';
import { Settings } from '../../settings/settings';
import { S3Authorizer } from '../s3-authorizer';
import { emptyAnswer, xmlAnswer, type S3Answer, type S3Call, type S3Handlers } from '../s3-call';
import { S3Error } from '../s3-error';
import { parseXml, type XmlElement } from '../xml';
import { element, textElement, xmlDocument } from '../xml-writer';

const MAX_DOCUMENT_BYTES = 64 * 1024;
const MODES: Readonly<Record<string, BucketEncryptionRule['mode']>> = {
  AES256: 'sse-s3',
  'aws:kms': 'sse-kms',
  'aws:kms:dsse': 'dsse-kms',
};
const ALGORITHMS = { 'sse-s3': 'AES256', 'sse-kms': 'aws:kms', 'dsse-kms': 'aws:kms:dsse' } as const;

/** The default encryption of buckets. */
@Injectable()
export class EncryptionOperations {
  readonly handlers: S3Handlers = {
    GetBucketEncryption: (call) => this.get(call),
    PutBucketEncryption: (call) => this.put(call),
    DeleteBucketEncryption: (call) => this.delete(call),
  };

  constructor(
    private readonly buckets: BucketService,
    private readonly dataKeys: DataKeys,
    private readonly authorizer: S3Authorizer,
    private readonly settings: Settings,
  ) {}

  /** A bucket that never had a rule shows the server's default, as AWS does; one whose rule was deleted shows none. */
  private async get(call: S3Call): Promise<S3Answer> {
    const { encryption } = await this.buckets.get(call.bucket);
    const rule = encryption === undefined ? this.serverRule() : encryption;
    if (rule === null) {
      throw new S3Error('ServerSideEncryptionConfigurationNotFoundError', undefined, { BucketName: call.bucket });
    }
    return xmlAnswer(
      xmlDocument(
        'ServerSideEncryptionConfiguration',
        element(
          'Rule',
          element(
            'ApplyServerSideEncryptionByDefault',
            textElement('SSEAlgorithm', ALGORITHMS[rule.mode]) + textElement('KMSMasterKeyID', rule.keyId),
          ) +
            textElement('BucketKeyEnabled', rule.bucketKey) +
            (rule.blocked === undefined
              ? ''
              : element('BlockedEncryptionTypes', textElement('EncryptionType', rule.blocked))),
        ),
      ),
    );
  }

  private async put(call: S3Call): Promise<S3Answer> {
    const present = (await this.buckets.get(call.bucket)).encryption;
    const document = soleRule(parseXml(await call.body.read(MAX_DOCUMENT_BYTES), 'ServerSideEncryptionConfiguration'));
    const rule: BucketEncryptionRule = {
      ...(defaultOf(document) ?? this.serverRule() ?? { mode: 'sse-s3', bucketKey: false }),
      // What is blocked stays blocked until it is said to be allowed again.
      blocked: blockedOf(document) ?? present?.blocked,
    };
    if (rule.mode !== 'sse-s3') {
      await this.authorizer.requireKey(call, 'kms:GenerateDataKey', rule.keyId);
      await this.proveKey(call.bucket, rule.keyId);
    }
    await this.buckets.setEncryption(call.bucket, rule);
    return emptyAnswer(200);
  }

  private async delete(call: S3Call): Promise<S3Answer> {
    await this.buckets.setEncryption(call.bucket, null);
    return emptyAnswer(204);
  }

  /** A rule with an unusable key would make every later write fail, so the key is tried now, as MinIO does. */
  private async proveKey(bucket: string, keyId: string | undefined): Promise<void> {
    const { plaintext } = await this.dataKeys.generate(keyId, { [bucket]: bucket });
    plaintext.fill(0);
  }

  private serverRule(): BucketEncryptionRule | null {
    const { autoEncryption } = this.settings;
    return autoEncryption === 'off' ? null : { mode: autoEncryption, bucketKey: false };
  }
}

function soleRule(configuration: XmlElement): XmlElement {
  const [rule, ...others] = configuration.all('Rule');
  if (rule === undefined || others.length > 0) {
    throw new S3Error('MalformedXML');
  }
  return rule;
}

/** The default encryption a rule asks for; undefined for one that only blocks. */
function defaultOf(rule: XmlElement): BucketEncryptionRule | undefined {
  const byDefault = rule.child('ApplyServerSideEncryptionByDefault');
  if (byDefault === undefined && rule.child('BlockedEncryptionTypes') !== undefined) {
    return undefined;
  }
  const mode = MODES[byDefault?.textOf('SSEAlgorithm') ?? ''];
  if (byDefault === undefined || mode === undefined) {
    throw new S3Error('MalformedXML');
  }
  const keyId = byDefault.textOf('KMSMasterKeyID');
  if (mode === 'sse-s3' && keyId !== undefined) {
    throw new S3Error(
      'InvalidArgument',
      'a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse',
      { ArgumentName: 'ApplyServerSideEncryptionByDefault' },
    );
  }
  if (keyId !== undefined && (keyId === '' || keyId.trim() !== keyId)) {
    throw new S3Error('InvalidRequest', 'The KMS key id is empty or begins or ends with a space');
  }
  const bucketKey = rule.textOf('BucketKeyEnabled') ?? 'false';
  if (bucketKey !== 'true' && bucketKey !== 'false') {
    throw new S3Error('MalformedXML');
  }
  return { mode, keyId, bucketKey: bucketKey === 'true' };
}

/** What a rule blocks; undefined when it does not speak of it. */
function blockedOf(rule: XmlElement): BlockedEncryption | undefined {
  const types = rule.child('BlockedEncryptionTypes');
  if (types === undefined) {
    return undefined;
  }
  const named = new Set(types.all('EncryptionType').map(({ text }) => text));
  const [type = 'NONE'] = named;
  if (named.size > 1 || (type !== 'NONE' && type !== 'SSE-C')) {
    throw new S3Error('MalformedXML');
  }
  return type;
}
