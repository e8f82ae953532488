import { Injectable } from '@nestjs/common';
import { BucketDocumentCache } from './bucket-document-cache.service';
import { aclsEnabled, storedAcl } from './access-control';
import type { AccessControlList } from './access-control.types';
import type { ObjectOwnership } from '../settings/settings';
import { BucketRepository, type StoredBucket } from './bucket.repository';
import { assertBucketName, assertPossibleBucket, isPossibleBucket } from './names';
import type {
  BucketAccess,
  BucketEncryptionRule,
  BucketInfo,
  BucketServiceContract,
  CreateBucketOptions,
} from './object-storage.types';
import { StorageError, storageError } from './storage-error';

const MAX_LISTED = 10_000;

/** Buckets and what is set on them. */
@Injectable()
export class BucketService implements BucketServiceContract {
  constructor(
    private readonly buckets: BucketRepository,
    private readonly documents: BucketDocumentCache,
  ) {}

  /**
   * Creates a bucket. Creating one's own bucket again changes nothing, as in us-east-1.
   *
   * @param options `BucketOwnerEnforced` unless said otherwise; the list must then be absent or the owner's alone
   * @returns whether it is new
   * @throws StorageError `InvalidBucketName`, `InvalidBucketAclWithObjectOwnership`, `BucketAlreadyExists` when another
   *   owner has it
   */
  async create(name: string, owner: string, options: CreateBucketOptions = {}): Promise<{ created: boolean }> {
    assertBucketName(name);
    const ownership = options.ownership ?? 'BucketOwnerEnforced';
    const acl = options.acl && storedAcl(options.acl, owner);
    if (acl !== undefined && !aclsEnabled({ owner, ownership })) {
      throw storageError('InvalidBucketAclWithObjectOwnership', { BucketName: name });
    }
    if (await this.buckets.insert(name, owner, ownership, options.ownershipChosen === true, acl)) {
      return { created: true };
    }
    const existing = await this.buckets.find(name);
    if (existing !== undefined && existing.owner !== owner) {
      throw storageError('BucketAlreadyExists', { BucketName: name });
    }
    return { created: false };
  }

  /** @throws StorageError `NoSuchBucket` */
  async get(name: string): Promise<BucketInfo> {
    const { id: _, ...info } = await this.require(name);
    return info;
  }

  /** What decides on access to a bucket; undefined when there is none of that name. */
  async access(name: string): Promise<BucketAccess | undefined> {
    return isPossibleBucket(name) ? this.buckets.access(name) : undefined;
  }

  /**
   * Replaces the access list.
   * @throws StorageError `NoSuchBucket`, `AccessControlListNotSupported`
   */
  async setAcl(name: string, acl: AccessControlList): Promise<void> {
    const { owner } = await this.require(name);
    if (!(await this.buckets.setAcl(name, storedAcl(acl, owner)))) {
      throw storageError('AccessControlListNotSupported');
    }
  }

  /**
   * Sets or, with null, removes the ownership controls. What access lists say stays stored while they do not count.
   * @throws StorageError `NoSuchBucket`; `InvalidBucketAclWithObjectOwnership` when access lists shall no more count and
   *   the bucket's grants something to others
   */
  async setOwnership(name: string, ownership: ObjectOwnership | null): Promise<void> {
    await this.require(name);
    if (!(await this.buckets.setOwnership(name, ownership))) {
      throw storageError('InvalidBucketAclWithObjectOwnership', { BucketName: name });
    }
  }

  /** Lists buckets by name, `limit` (at most 10 000) at a time. `after` is exclusive. */
  async list(
    options: { prefix?: string; after?: string; limit?: number } = {},
  ): Promise<{ buckets: BucketInfo[]; truncated: boolean }> {
    const limit = Math.min(options.limit ?? MAX_LISTED, MAX_LISTED);
    const found = await this.buckets.list(options.after ?? '', options.prefix ?? '', limit + 1);
    return { buckets: found.slice(0, limit).map(({ id: _, ...info }) => info), truncated: found.length > limit };
  }

  /**
   * Deletes an empty bucket; uploads in progress are aborted with it.
   * @throws StorageError `NoSuchBucket`, `BucketNotEmpty`
   */
  async delete(name: string): Promise<void> {
    assertPossibleBucket(name);
    const outcome = await this.buckets.delete(name);
    if (outcome === 'missing') {
      throw storageError('NoSuchBucket', { BucketName: name });
    }
    if (outcome !== 'deleted') {
      throw await this.notEmpty(name);
    }
    await this.documents.changed(name);
  }

  /**
   * Sets or, with null, deletes the default encryption. The key is not looked up: a rule may name a key to be made later.
   * @throws StorageError `NoSuchBucket`
   */
  async setEncryption(name: string, rule: BucketEncryptionRule | null): Promise<void> {
    assertPossibleBucket(name);
    assertFound(await this.buckets.setEncryption(name, rule), name);
  }

  /**
   * Sets the key of the second seal of new objects: null for none, undefined to follow the deployment. What is stored stays
   * as it is; a rewrap job can change it.
   * @throws StorageError `NoSuchBucket`
   */
  async setEscrow(name: string, keyReference: string | null | undefined): Promise<void> {
    assertPossibleBucket(name);
    assertFound(await this.buckets.setEscrow(name, keyReference), name);
  }

  /**
   * Enables or suspends versioning; a bucket never goes back to having none.
   * @throws StorageError `NoSuchBucket`, `InvalidBucketState`
   */
  async setVersioning(name: string, state: 'enabled' | 'suspended'): Promise<void> {
    const { objectLock } = await this.require(name);
    if (state === 'suspended' && objectLock !== undefined) {
      throw new StorageError(
        'InvalidBucketState',
        'An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.',
      );
    }
    assertFound(await this.buckets.setVersioning(name, state), name);
  }

  /** @throws StorageError `NoSuchBucket` */
  async getDocument(name: string, document: string): Promise<string | undefined> {
    assertPossibleBucket(name);
    const content = await this.buckets.getDocument(name, document);
    assertFound(content !== undefined, name);
    return content ?? undefined;
  }

  /** Stores or, with null, removes a document. @throws StorageError `NoSuchBucket` */
  async setDocument(name: string, document: string, content: string | null): Promise<void> {
    await this.require(name);
    await (content === null
      ? this.buckets.deleteDocument(name, document)
      : this.buckets.putDocument(name, document, content));
    await this.documents.changed(name);
  }

  private async notEmpty(name: string): Promise<StorageError> {
    const error = storageError('BucketNotEmpty', { BucketName: name });
    const versioned = ((await this.buckets.find(name))?.versioning ?? 'unversioned') !== 'unversioned';
    const message = `${error.message}. You must delete all versions in the bucket.`;
    return versioned ? new StorageError('BucketNotEmpty', message, { details: error.details }) : error;
  }

  private async require(name: string): Promise<StoredBucket> {
    assertPossibleBucket(name);
    const bucket = await this.buckets.find(name);
    if (bucket === undefined) {
      throw storageError('NoSuchBucket', { BucketName: name });
    }
    return bucket;
  }
}

function assertFound(found: boolean, name: string): void {
  if (!found) {
    throw storageError('NoSuchBucket', { BucketName: name });
  }
}
