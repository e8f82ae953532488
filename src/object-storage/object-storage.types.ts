import type { Readable } from 'node:stream';
import type { AccessControlList, AclRequest } from './access-control.types';
import type { ObjectOwnership } from '../settings/settings';
import type { CustomerKey, EncryptionMode, EncryptionRequest } from '../crypto/encryption.types';
import type { EncryptionContext } from '../common/encryption-context';

export type ChecksumAlgorithm =
  'CRC32' | 'CRC32C' | 'CRC64NVME' | 'SHA1' | 'SHA256' | 'SHA512' | 'MD5' | 'XXHASH64' | 'XXHASH3' | 'XXHASH128';
export type ChecksumType = 'COMPOSITE' | 'FULL_OBJECT';

/** What a KMS key is wanted for: to wrap a new data key, or to unwrap one. */
export type KeyUse = 'generate' | 'decrypt';

/** A KMS key as a write asks for it (a reference, undefined meaning the default) or as an object has it. */
export interface KeyInUse {
  readonly kms?: string;
  readonly keyId?: string;
  /** The client's part of the encryption context. */
  readonly context?: EncryptionContext;
  /** What the data key is for: an object, or with a bucket key the whole bucket. */
  readonly resource: { readonly bucket: string; readonly key?: string };
}

/**
 * Decides whether whoever is behind a command may use a KMS key. Asked with the key that will really be used, before any
 * call to its KMS, so that a refusal tells nothing of the key. Rejects to refuse. Work of the store itself has no guard.
 */
export type KeyGuard = (use: KeyUse, key: KeyInUse) => Promise<void>;

export type RetentionMode = 'GOVERNANCE' | 'COMPLIANCE';

/** What keeps a version from being deleted. Mode and date come together or not at all. */
export interface ObjectLock {
  readonly mode?: RetentionMode;
  /** ISO 8601, UTC. */
  readonly until?: string;
  readonly legalHold?: boolean;
}

/** Object lock of a bucket, which once enabled stays so; with a rule new versions are retained by default. */
export interface BucketObjectLock {
  readonly rule?: { readonly mode: RetentionMode; readonly days?: number; readonly years?: number };
}

/** Headers S3 stores and returns verbatim, and user metadata with lower-case names without the `x-amz-meta-` prefix. */
export interface ObjectMetadata {
  readonly contentType?: string;
  readonly contentEncoding?: string;
  readonly contentLanguage?: string;
  readonly contentDisposition?: string;
  readonly cacheControl?: string;
  readonly expires?: string;
  readonly websiteRedirectLocation?: string;
  readonly storageClass?: string;
  /** Until when an archived object can be read. ISO 8601, UTC. */
  readonly restoredUntil?: string;
  /** Retention and legal hold. */
  readonly lock?: ObjectLock;
  readonly user: Readonly<Record<string, string>>;
}

/** What the body must turn out to be; verified before anything becomes visible. */
export interface BodyExpectation {
  /** Decoded length in bytes; a body that ends short fails with IncompleteBody. */
  readonly length: number;
  /** The body may be shorter: its length is only known to be bounded, as that of a file in a form. */
  readonly lengthIsLimit?: boolean;
  /** 16 bytes of Content-MD5. */
  readonly md5?: Buffer;
  /** Lower-case hex of x-amz-content-sha256, when it names one. */
  readonly sha256?: string;
  readonly checksum?: {
    readonly algorithm: ChecksumAlgorithm;
    /** Base64, when sent as a header. */
    readonly value?: string;
    /** When announced as a trailer: called after the body has ended. */
    readonly trailer?: () => string | undefined;
  };
}

export interface ObjectBody {
  /** Verified plaintext as it arrives; fails by itself on a bad chunk signature. */
  readonly stream: Readable;
  readonly expectation: BodyExpectation;
}

export interface StoredChecksum {
  readonly algorithm: ChecksumAlgorithm;
  /** Base64; composite values end in `-N`. */
  readonly value: string;
  readonly type: ChecksumType;
}

/** How an object is encrypted, as far as answers show it. */
export interface EncryptionInfo {
  readonly mode: EncryptionMode;
  readonly kms?: string;
  readonly keyId?: string;
  readonly keyVersion?: string;
  readonly context?: EncryptionContext;
  readonly bucketKey?: boolean;
}

export interface ObjectInfo {
  readonly bucket: string;
  readonly key: string;
  /** `null` for unversioned objects. */
  readonly versionId: string;
  /** Whether the bucket has or had versioning, so that answers name the version. */
  readonly versioned: boolean;
  readonly isLatest: boolean;
  readonly deleteMarker: boolean;
  /** Plaintext bytes. */
  readonly size: number;
  /** Without quotes. */
  readonly etag: string;
  readonly lastModified: Date;
  readonly metadata: ObjectMetadata;
  readonly encryption: EncryptionInfo;
  readonly checksum?: StoredChecksum;
  /** Plaintext sizes of the parts of a multipart object, in order; undefined otherwise. */
  readonly parts?: readonly { readonly number: number; readonly size: number; readonly checksum?: string }[];
  readonly tags?: Readonly<Record<string, string>>;
  /** Whose the version was when it was written; where access lists do not count, the bucket's owner has it all the same. */
  readonly owner: string;
  /** Undefined when the owner alone is granted anything. */
  readonly acl?: AccessControlList;
}

/** A version, and whether answers name it. */
export type NamedVersion = Pick<ObjectInfo, 'versionId' | 'versioned'>;

/** `If-*` conditions of a write. ETags without quotes. */
export interface WriteConditions {
  readonly ifMatch?: string;
  readonly ifNoneMatchAny?: boolean;
}

/** `If-*` conditions of a read, or of a copy source (`x-amz-copy-source-if-*`). */
export interface ReadConditions {
  readonly ifMatch?: readonly string[];
  readonly ifNoneMatch?: readonly string[];
  readonly ifModifiedSince?: Date;
  readonly ifUnmodifiedSince?: Date;
}

export interface PutObjectCommand {
  readonly bucket: string;
  readonly key: string;
  readonly body: ObjectBody;
  readonly metadata: ObjectMetadata;
  /** Retention and legal hold the request asks for; else the bucket's default holds. */
  readonly lock?: ObjectLock;
  /** What the request's headers ask for; undefined lets the bucket rule, then the server default decide. */
  readonly encryption?: EncryptionRequest;
  readonly conditions?: WriteConditions;
  readonly tags?: Readonly<Record<string, string>>;
  /** Canonical id of who sends the object; the bucket's ownership controls decide whose it becomes. */
  readonly owner: string;
  readonly acl?: AclRequest;
  readonly authorizeKey?: KeyGuard;
}

export interface WriteResult {
  readonly etag: string;
  /** Undefined on a bucket that never had versioning. */
  readonly versionId?: string;
  readonly size: number;
  readonly lastModified: Date;
  readonly encryption: EncryptionInfo;
  readonly checksum?: StoredChecksum;
  readonly tags?: Readonly<Record<string, string>>;
}

/** A range as the client asked for it; resolved against the size by the object service. */
export type RangeRequest =
  | { readonly kind: 'from'; readonly first: number; readonly last?: number }
  | { readonly kind: 'suffix'; readonly length: number };

export interface GetObjectCommand {
  readonly bucket: string;
  readonly key: string;
  readonly versionId?: string;
  readonly range?: RangeRequest;
  readonly partNumber?: number;
  readonly conditions?: ReadConditions;
  readonly customerKey?: CustomerKey;
  readonly authorizeKey?: KeyGuard;
}

/** An object opened for reading; the caller must consume or destroy `body`. */
export interface OpenedObject {
  readonly info: ObjectInfo;
  /** Absolute first and last byte when a range or part was asked for. */
  readonly range?: { readonly first: number; readonly last: number };
  /** Plaintext bytes that `body` gives. */
  readonly length: number;
  readonly body: Readable | Buffer;
}

export interface CopyObjectCommand {
  readonly source: { readonly bucket: string; readonly key: string; readonly versionId?: string };
  readonly sourceConditions?: ReadConditions;
  readonly sourceCustomerKey?: CustomerKey;
  readonly bucket: string;
  readonly key: string;
  /** Undefined copies the source's metadata, without what belongs to the place of the source. */
  readonly metadata?: ObjectMetadata;
  /** Of the copy; never the source's. */
  readonly placement?: Pick<ObjectMetadata, 'storageClass' | 'websiteRedirectLocation'>;
  readonly tags?: Readonly<Record<string, string>>;
  readonly encryption?: EncryptionRequest;
  readonly checksumAlgorithm?: ChecksumAlgorithm;
  /** Lock of the copy; the source's is never copied. */
  readonly lock?: ObjectLock;
  readonly conditions?: WriteConditions;
  /** As in {@link PutObjectCommand}. */
  readonly owner: string;
  /** Access list of the copy; the source's is never copied. */
  readonly acl?: AclRequest;
  /** Asked for the source's key and for the copy's. */
  readonly authorizeKey?: KeyGuard;
}

export interface CopyResult extends WriteResult {
  readonly sourceVersionId?: string;
}

export interface DeleteResult {
  readonly key: string;
  readonly versionId?: string;
  readonly deleteMarker?: boolean;
  readonly deleteMarkerVersionId?: string;
  /** When it was deleted, in the order of all changes of the key. */
  readonly deletedAt: Date;
}

export interface DeleteEntry {
  readonly key: string;
  readonly versionId?: string;
  /** In a deletion of many: the ETag, without quotes, that the object must have; `*` for any. */
  readonly ifMatch?: string;
}

export interface DeleteFailure {
  readonly key: string;
  readonly versionId?: string;
  readonly error: Error;
}

export type VersioningState = 'unversioned' | 'enabled' | 'suspended';

/** Encryption that a bucket takes no new objects with; `NONE` says in so many words that it takes all. */
export type BlockedEncryption = 'SSE-C' | 'NONE';

export interface BucketEncryptionRule {
  readonly mode: 'sse-s3' | 'sse-kms' | 'dsse-kms';
  readonly keyId?: string;
  readonly bucketKey: boolean;
  readonly blocked?: BlockedEncryption;
}

export interface BucketInfo {
  readonly name: string;
  readonly createdAt: Date;
  readonly owner: string;
  readonly versioning: VersioningState;
  /** Undefined when the controls were deleted, which means `ObjectWriter`. */
  readonly ownership?: ObjectOwnership;
  /** Whether somebody asked for this ownership, or removed it; it comes from the deployment's default otherwise. */
  readonly ownershipChosen: boolean;
  /** Undefined when no rule was ever set, null when it was deleted (the answer differs). */
  readonly encryption?: BucketEncryptionRule | null;
  /** Reference of the key of the second seal; null for none, undefined for what the deployment has set. */
  readonly escrow?: string | null;
  /** Undefined when object lock is not enabled. */
  readonly objectLock?: BucketObjectLock;
}

export interface CreateBucketOptions {
  /** `BucketOwnerEnforced` when absent. */
  readonly ownership?: ObjectOwnership;
  /** Whether the request itself names the ownership. */
  readonly ownershipChosen?: boolean;
  readonly acl?: AccessControlList;
}

/** What decides on access to a bucket, beside the policies of the caller. */
export interface BucketAccess {
  readonly owner: string;
  readonly ownership?: ObjectOwnership;
  /** Whether somebody asked for this ownership, or removed it. */
  readonly ownershipChosen: boolean;
  /** Undefined when the owner alone is granted anything. */
  readonly acl?: AccessControlList;
  /** The bucket policy. */
  readonly policy?: string;
  /** The document of the public access block. */
  readonly publicAccessBlock?: string;
}

export interface ListCommand {
  readonly bucket: string;
  readonly prefix: string;
  readonly delimiter?: string;
  /** Entries (objects and common prefixes) wanted, 0 to 1000. */
  readonly maxKeys: number;
  /** Exclusive lower bound: v1 marker, v2 start-after. */
  readonly after?: string;
  /** The opaque v2 continuation token of an earlier page. */
  readonly continuationToken?: string;
}

export interface ListedObject {
  readonly key: string;
  readonly size: number;
  readonly etag: string;
  readonly lastModified: Date;
  readonly storageClass: string;
  readonly owner: string;
  readonly checksumAlgorithm?: ChecksumAlgorithm;
  readonly checksumType?: ChecksumType;
}

export interface ListResult {
  readonly objects: readonly ListedObject[];
  readonly commonPrefixes: readonly string[];
  readonly truncated: boolean;
  /** Last entry (key or common prefix) of the page, when truncated. */
  readonly nextMarker?: string;
  readonly nextContinuationToken?: string;
}

export interface ListVersionsCommand {
  readonly bucket: string;
  readonly prefix: string;
  readonly delimiter?: string;
  readonly maxKeys: number;
  readonly keyMarker?: string;
  readonly versionIdMarker?: string;
}

export interface ListedVersion extends ListedObject {
  readonly versionId: string;
  readonly isLatest: boolean;
  readonly deleteMarker: boolean;
}

export interface ListVersionsResult {
  readonly versions: readonly ListedVersion[];
  readonly commonPrefixes: readonly string[];
  readonly truncated: boolean;
  readonly nextKeyMarker?: string;
  readonly nextVersionIdMarker?: string;
}

export interface CreateMultipartCommand {
  readonly bucket: string;
  readonly key: string;
  readonly metadata: ObjectMetadata;
  readonly lock?: ObjectLock;
  readonly encryption?: EncryptionRequest;
  readonly checksum?: { readonly algorithm: ChecksumAlgorithm; readonly type: ChecksumType };
  readonly tags?: Readonly<Record<string, string>>;
  /** As in {@link PutObjectCommand}. */
  readonly owner: string;
  readonly acl?: AclRequest;
  /** Headers of the request by which its parts may be judged later, by name. */
  readonly requestHeaders?: Readonly<Record<string, string>>;
  /** Asked once for the whole upload: for wrapping, and for the unwrapping that every part needs. */
  readonly authorizeKey?: KeyGuard;
}

export interface MultipartUploadInfo {
  readonly bucket: string;
  readonly key: string;
  readonly uploadId: string;
  readonly initiatedAt: Date;
  /** Whose the object will be. */
  readonly owner: string;
  readonly initiator: string;
  readonly storageClass: string;
  readonly encryption: EncryptionInfo;
  readonly checksum?: { readonly algorithm: ChecksumAlgorithm; readonly type: ChecksumType };
}

export interface UploadPartCommand {
  readonly bucket: string;
  readonly key: string;
  readonly uploadId: string;
  /** 1 to 10000. */
  readonly partNumber: number;
  readonly body: ObjectBody;
  readonly customerKey?: CustomerKey;
}

export interface UploadPartCopyCommand {
  readonly source: { readonly bucket: string; readonly key: string; readonly versionId?: string };
  readonly sourceConditions?: ReadConditions;
  readonly sourceCustomerKey?: CustomerKey;
  readonly range?: { readonly first: number; readonly last: number };
  readonly bucket: string;
  readonly key: string;
  readonly uploadId: string;
  readonly partNumber: number;
  readonly customerKey?: CustomerKey;
  /** Asked for the source's key. */
  readonly authorizeKey?: KeyGuard;
}

export interface PartResult {
  readonly etag: string;
  readonly lastModified: Date;
  readonly encryption: EncryptionInfo;
  readonly checksum?: { readonly algorithm: ChecksumAlgorithm; readonly value: string };
  readonly sourceVersionId?: string;
}

export interface CompleteMultipartCommand {
  readonly bucket: string;
  readonly key: string;
  readonly uploadId: string;
  readonly parts: readonly {
    readonly partNumber: number;
    readonly etag: string;
    readonly checksum?: { readonly algorithm: ChecksumAlgorithm; readonly value: string };
  }[];
  readonly checksum?: { readonly algorithm: ChecksumAlgorithm; readonly value: string };
  readonly checksumType?: ChecksumType;
  /** x-amz-mp-object-size */
  readonly objectSize?: number;
  readonly conditions?: WriteConditions;
  readonly customerKey?: CustomerKey;
}

export interface ListedPart {
  readonly partNumber: number;
  readonly etag: string;
  readonly size: number;
  readonly lastModified: Date;
  readonly checksum?: { readonly algorithm: ChecksumAlgorithm; readonly value: string };
}

export interface ListPartsResult {
  readonly upload: MultipartUploadInfo;
  readonly parts: readonly ListedPart[];
  readonly truncated: boolean;
  readonly nextPartNumberMarker?: number;
}

export interface ListUploadsCommand {
  readonly bucket: string;
  readonly prefix: string;
  readonly delimiter?: string;
  readonly keyMarker?: string;
  readonly uploadIdMarker?: string;
  readonly maxUploads: number;
}

export interface ListUploadsResult {
  readonly uploads: readonly MultipartUploadInfo[];
  readonly commonPrefixes: readonly string[];
  readonly truncated: boolean;
  readonly nextKeyMarker?: string;
  readonly nextUploadIdMarker?: string;
}

/** ObjectService (object.service.ts), public face. All failures are DomainErrors whose kind is the S3 error code. */
export interface ObjectServiceContract {
  put(command: PutObjectCommand): Promise<WriteResult>;
  /** Conditions that ask for 304 reject with kind `NotModified`, details carrying etag and last-modified. */
  open(command: GetObjectCommand): Promise<OpenedObject>;
  head(command: GetObjectCommand): Promise<Omit<OpenedObject, 'body'>>;
  copy(command: CopyObjectCommand): Promise<CopyResult>;
  /** @param bypass whether governance retention yields */
  delete(bucket: string, entry: DeleteEntry, conditions?: WriteConditions, bypass?: boolean): Promise<DeleteResult>;
  deleteMany(
    bucket: string,
    entries: readonly DeleteEntry[],
    bypass?: boolean,
  ): Promise<{ deleted: DeleteResult[]; failed: DeleteFailure[] }>;
  describe(bucket: string, entry: DeleteEntry): Promise<ObjectInfo>;
  getTags(bucket: string, entry: DeleteEntry): Promise<{ versionId: string; tags: Readonly<Record<string, string>> }>;
  setTags(bucket: string, entry: DeleteEntry, tags: Readonly<Record<string, string>>): Promise<{ versionId: string }>;
  setAcl(bucket: string, entry: DeleteEntry, acl: AccessControlList): Promise<{ versionId: string }>;
}

/** MultipartService (multipart.service.ts). */
export interface MultipartServiceContract {
  create(command: CreateMultipartCommand): Promise<MultipartUploadInfo>;
  uploadPart(command: UploadPartCommand): Promise<PartResult>;
  uploadPartCopy(command: UploadPartCopyCommand): Promise<PartResult>;
  complete(command: CompleteMultipartCommand): Promise<WriteResult>;
  abort(bucket: string, key: string, uploadId: string): Promise<void>;
  listParts(bucket: string, key: string, uploadId: string, after: number, maxParts: number): Promise<ListPartsResult>;
  listUploads(command: ListUploadsCommand): Promise<ListUploadsResult>;
}

/** BucketService (bucket.service.ts). */
export interface BucketServiceContract {
  create(name: string, owner: string, options?: CreateBucketOptions): Promise<{ created: boolean }>;
  /** Undefined when there is no such bucket. */
  access(name: string): Promise<BucketAccess | undefined>;
  setAcl(name: string, acl: AccessControlList): Promise<void>;
  setOwnership(name: string, ownership: ObjectOwnership | null): Promise<void>;
  get(name: string): Promise<BucketInfo>;
  list(options?: {
    prefix?: string;
    after?: string;
    limit?: number;
  }): Promise<{ buckets: BucketInfo[]; truncated: boolean }>;
  delete(name: string): Promise<void>;
  setEncryption(name: string, rule: BucketEncryptionRule | null): Promise<void>;
  setEscrow(name: string, keyReference: string | null | undefined): Promise<void>;
  setVersioning(name: string, state: 'enabled' | 'suspended'): Promise<void>;
  /** Opaque sub-resource documents (tagging, cors, policy, …) by name; undefined when absent. */
  getDocument(name: string, document: string): Promise<string | undefined>;
  setDocument(name: string, document: string, content: string | null): Promise<void>;
}

/** ListingService (listing.service.ts). */
export interface ListingServiceContract {
  list(command: ListCommand): Promise<ListResult>;
  listVersions(command: ListVersionsCommand): Promise<ListVersionsResult>;
}
