import { timingSafeEqual } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DomainError } from '../common/domain-error';
import { DataKeys, type GeneratedDataKey, type UnwrapOptions } from '../kms/data-keys';
import { KmsError } from '../kms/kms-error';
import { BucketKeys } from './bucket-keys';
import { CiphertextError, KEY_BYTES } from './dare';
import { escrowReads } from './crypto.metrics';
import { escrowReason, escrowRecord } from './escrow';
import type {
  CustomerKey,
  EncryptionRecord,
  EncryptionRequest,
  EscrowSeal,
  ObjectLocation,
  PendingSeal,
} from './encryption.types';
import { randomObjectKey } from './key-derivation';
import { objectContext } from './kms-context';
import { sealDomain, sealObjectKey, unsealObjectKey } from './object-key-seal';
import { sameDataLayout } from './object-stages';

/** A request for encryption of whatever kind. */
export type SealRequest = Exclude<EncryptionRequest, { readonly mode: 'none' }>;
type KmsSealRequest = Exclude<SealRequest, { readonly mode: 'sse-c' }>;

/** How a stored object key is to be sealed anew. */
export interface RewrapSeals {
  /** The new key; undefined leaves the first seal alone. SSE-S3 objects stay under the key of the embedded keyring. */
  readonly keyReference?: string;
  readonly escrow: 'keep' | 'drop' | { readonly keyReference: string };
  /** See {@link BucketKeys.generate}. */
  readonly epoch: string;
}

/** Gives objects their keys: makes, seals, opens and re-seals them. The data itself passes through `object-stages`. */
@Injectable()
export class ObjectCipher {
  constructor(
    private readonly dataKeys: DataKeys,
    private readonly bucketKeys: BucketKeys,
  ) {}

  /**
   * Makes an object key and starts to seal it. The key can be used at once, so the KMS answers while the body is read.
   *
   * @param options.multipart whether the object comes in parts, each under its own part key
   * @returns a seal whose `record` rejects with a KmsError when the KMS, or that of the escrow, does not give a data key
   * @throws DomainError `InvalidArgument` when a customer key is not 32 bytes long
   */
  begin(request: SealRequest, location: ObjectLocation, options: { readonly multipart?: boolean } = {}): PendingSeal {
    assertCustomerKey(request.mode === 'sse-c' ? request.customerKey : undefined);
    const objectKey = randomObjectKey();
    // A copy of its own: discarding the seal must never lead to an object key of zeros being sealed.
    const toSeal = Buffer.from(objectKey);
    const record = this.seal(toSeal, request, location, options.multipart ?? false).finally(() => toSeal.fill(0));
    // Whoever gives up on the write does not await the record; the rejection is still there for those who do.
    record.catch(() => undefined);
    return { objectKey, record, discard: () => void objectKey.fill(0) };
  }

  /**
   * Returns the object key of a stored object, by its escrow seal when the first KMS is unavailable or lost.
   *
   * @param customerKey the client's key, for SSE-C objects and only for those
   * @param options see {@link DataKeys.unwrap}; a bucket key's own call may still be spared
   * @returns 32 bytes, owned by the caller, to be zeroed after use
   * @throws KmsError when the KMS does not unwrap the data key
   * @throws DomainError `InvalidRequest` when a customer key is missing or out of place, `AccessDenied` when it is wrong
   * @throws CiphertextError when the sealed key does not authenticate or the record is incomplete
   */
  async open(
    record: EncryptionRecord,
    location: ObjectLocation,
    customerKey?: CustomerKey,
    options?: UnwrapOptions,
  ): Promise<Buffer> {
    if (record.mode === 'sse-c') {
      return openWithCustomerKey(record, location, customerKey);
    }
    if (customerKey !== undefined) {
      throw new DomainError('InvalidRequest', 'The object is not encrypted with a customer key, so none may be sent');
    }
    try {
      return await this.openSeal(record, location, options);
    } catch (error) {
      const reason = escrowReason(error);
      if (reason === undefined || record.escrow === undefined) {
        throw error;
      }
      return this.openEscrow(record, record.escrow, location, reason, error);
    }
  }

  /**
   * Seals the object key of a stored object anew: under a new data key or KMS key (rotation by self-copy) or for another
   * location (rename). The data stays as it is.
   *
   * @param customerKey the client's key of the present encryption, for SSE-C objects
   * @throws DomainError `InvalidRequest` when the modes store their data in different forms (see `sameDataLayout`)
   * @throws as {@link open} and {@link begin}
   */
  async reseal(
    record: EncryptionRecord,
    from: ObjectLocation,
    to: ObjectLocation,
    request: SealRequest,
    customerKey?: CustomerKey,
  ): Promise<EncryptionRecord> {
    if (!sameDataLayout(record.mode, request.mode)) {
      throw new DomainError('InvalidRequest', 'Changing to or from dual-layer encryption needs the data to be copied');
    }
    assertCustomerKey(request.mode === 'sse-c' ? request.customerKey : undefined);
    const objectKey = await this.open(record, from, customerKey);
    try {
      return await this.seal(objectKey, request, to, record.multipart);
    } finally {
      objectKey.fill(0);
    }
  }

  /**
   * Seals the object key of a stored object under other KMS keys, or under the newest version of the same ones, and proves
   * before returning that each KMS opens its new seal to the same object key. Mode, context and use of bucket keys stay.
   *
   * @throws DomainError `InvalidRequest` for SSE-C, whose key only the client has
   * @throws as {@link open}
   */
  async rewrap(record: EncryptionRecord, location: ObjectLocation, order: RewrapSeals): Promise<EncryptionRecord> {
    const { mode, context, bucketKey = false } = record;
    if (mode === 'sse-c') {
      throw new DomainError('InvalidRequest', 'Only the client can seal a key of SSE-C anew');
    }
    const objectKey = await this.open(record, location);
    const sealed = async (keyId: string): Promise<EncryptionRecord> => {
      const request: KmsSealRequest = mode === 'sse-s3' ? { mode } : { mode, keyId, context, bucketKey, escrow: null };
      const resealed = await this.seal(objectKey, request, location, record.multipart, order.epoch);
      await this.assertOpensTo(objectKey, resealed, location);
      return resealed;
    };
    try {
      const first = order.keyReference === undefined ? record : await sealed(order.keyReference);
      if (order.escrow === 'keep' || mode === 'sse-s3') {
        return { ...first, escrow: record.escrow };
      }
      const escrow = order.escrow === 'drop' ? undefined : escrowSeal(await sealed(order.escrow.keyReference));
      return { ...first, escrow };
    } finally {
      objectKey.fill(0);
    }
  }

  private async assertOpensTo(expected: Buffer, record: EncryptionRecord, location: ObjectLocation): Promise<void> {
    const opened = await this.open(record, location, undefined, { fresh: true });
    const same = timingSafeEqual(expected, opened);
    opened.fill(0);
    if (!same) {
      throw new CiphertextError('The new seal opens to another object key');
    }
  }

  private async openEscrow(
    record: EncryptionRecord,
    escrow: EscrowSeal,
    location: ObjectLocation,
    reason: 'unavailable' | 'lost',
    first: unknown,
  ): Promise<Buffer> {
    try {
      const objectKey = await this.openSeal(escrowRecord(record, escrow), location, undefined);
      escrowReads.inc({ reason, outcome: 'opened' });
      return objectKey;
    } catch (error) {
      escrowReads.inc({ reason, outcome: 'failed' });
      // When the second KMS gives no key either, it is the first that the client is to wait for.
      throw error instanceof KmsError && error.kind !== 'kms-invalid-ciphertext' ? first : error;
    }
  }

  private async openSeal(
    record: EncryptionRecord,
    location: ObjectLocation,
    options: UnwrapOptions | undefined,
  ): Promise<Buffer> {
    const domain = sealDomain(record.mode);
    const dataKey = await this.unwrapDataKey(record, location, options);
    try {
      return unsealObjectKey(record, dataKey, domain, location);
    } finally {
      dataKey.fill(0);
    }
  }

  private async seal(
    objectKey: Buffer,
    request: SealRequest,
    location: ObjectLocation,
    multipart: boolean,
    epoch?: string,
  ): Promise<EncryptionRecord> {
    if (request.mode === 'sse-c') {
      const domain = sealDomain(request.mode);
      return { mode: request.mode, multipart, ...sealObjectKey(objectKey, request.customerKey.key, domain, location) };
    }
    const escrow = this.escrowRequest(request);
    // Both to their end: whoever called zeroes the object key afterwards.
    const [first, second] = await Promise.allSettled([
      this.sealByKms(objectKey, request, location, epoch),
      escrow && this.sealByKms(objectKey, escrow, location, epoch),
    ]);
    if (first.status === 'rejected') {
      throw first.reason;
    }
    if (second.status === 'rejected') {
      throw second.reason;
    }
    return {
      mode: request.mode,
      multipart,
      ...first.value,
      ...(request.mode === 'sse-s3' ? {} : { context: request.context, bucketKey: request.bucketKey ?? false }),
      ...(second.value && { escrow: second.value }),
    };
  }

  /** The request for the second seal; undefined where there is none, or where it would lie under the key of the first. */
  private escrowRequest(request: KmsSealRequest): KmsSealRequest | undefined {
    if (request.mode === 'sse-s3') {
      return undefined;
    }
    const keyId = request.escrow === undefined ? this.dataKeys.escrowReference() : request.escrow;
    if (keyId === undefined || keyId === null) {
      return undefined;
    }
    const [first, second] = [this.dataKeys.resolve(request.keyId), this.dataKeys.resolve(keyId)];
    return first.kms === second.kms && first.keyId === second.keyId ? undefined : { ...request, keyId };
  }

  private async sealByKms(
    objectKey: Buffer,
    request: KmsSealRequest,
    location: ObjectLocation,
    epoch: string | undefined,
  ): Promise<EscrowSeal> {
    const { plaintext, wrapped } = await this.generateDataKey(request, location, epoch);
    try {
      assertDataKey(plaintext);
      return { ...sealObjectKey(objectKey, plaintext, sealDomain(request.mode), location), wrappedKey: wrapped };
    } finally {
      plaintext.fill(0);
    }
  }

  private generateDataKey(
    request: KmsSealRequest,
    location: ObjectLocation,
    epoch: string | undefined,
  ): Promise<GeneratedDataKey> {
    if (request.mode === 'sse-s3') {
      return this.dataKeys.generateForServer(objectContext(undefined, location));
    }
    if (request.bucketKey === true) {
      return this.bucketKeys.generate(request.keyId, request.context, location, epoch);
    }
    return this.dataKeys.generate(request.keyId, objectContext(request.context, location));
  }

  private async unwrapDataKey(
    record: EncryptionRecord,
    location: ObjectLocation,
    options: UnwrapOptions | undefined,
  ): Promise<Buffer> {
    if (record.wrappedKey === undefined) {
      throw new CiphertextError('The object has no wrapped data key');
    }
    const dataKey =
      record.bucketKey === true
        ? await this.bucketKeys.unwrap(record.wrappedKey, record.context, location)
        : await this.dataKeys.unwrap(record.wrappedKey, objectContext(record.context, location), options);
    assertDataKey(dataKey);
    return dataKey;
  }
}

function escrowSeal({ iv, sealAlgorithm, sealedKey, wrappedKey }: EncryptionRecord): EscrowSeal | undefined {
  return wrappedKey && { iv, sealAlgorithm, sealedKey, wrappedKey };
}

function openWithCustomerKey(
  record: EncryptionRecord,
  location: ObjectLocation,
  customerKey: CustomerKey | undefined,
): Buffer {
  if (customerKey === undefined) {
    throw new DomainError('InvalidRequest', 'The object is encrypted with a customer key, which has to be sent along');
  }
  assertCustomerKey(customerKey);
  try {
    return unsealObjectKey(record, customerKey.key, sealDomain(record.mode), location);
  } catch (cause) {
    throw new DomainError(
      'AccessDenied',
      'Requests specifying Server Side Encryption with Customer provided keys must provide the correct secret key.',
      { cause },
    );
  }
}

function assertCustomerKey(customerKey: CustomerKey | undefined): void {
  if (customerKey !== undefined && customerKey.key.length !== KEY_BYTES) {
    throw new DomainError('InvalidArgument', 'A customer key is 32 bytes long');
  }
}

function assertDataKey(dataKey: Buffer): void {
  if (dataKey.length !== KEY_BYTES) {
    throw new KmsError('kms-protocol', 'The KMS gave a data key that is not 32 bytes long');
  }
}
