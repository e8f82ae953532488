import type { AccessControlList } from './access-control.types';
import type { EncryptionRecord } from '../crypto/encryption.types';
import { ENCRYPTION_COLUMNS, type EncryptionRow, encryptionInfo, encryptionRecord } from './encryption-columns';
import type {
  ChecksumAlgorithm,
  ChecksumType,
  ObjectInfo,
  ObjectMetadata,
  VersioningState,
} from './object-storage.types';

/** One part of a multipart object as its row keeps it: short names, because there may be ten thousand of them. */
export interface StoredPart {
  /** Part number, which its key is derived from. */
  readonly n: number;
  /** Plaintext bytes. */
  readonly s: number;
  /** Blob id. */
  readonly b: string;
  /** Base64 checksum. */
  readonly c?: string;
}

/** Where the bytes of a version lie. */
export type ObjectContent =
  | { readonly kind: 'inline'; readonly data: Buffer }
  | { readonly kind: 'blob'; readonly id: string }
  | { readonly kind: 'parts'; readonly parts: readonly StoredPart[] };

/** A version as it is stored. */
export interface StoredObject {
  readonly info: ObjectInfo;
  /** Undefined for an object that is not encrypted. */
  readonly record?: EncryptionRecord;
  readonly content: ObjectContent;
}

/** The columns of {@link ObjectRow}, qualified for a query that calls the table `v`. */
export const OBJECT_COLUMNS = [
  'version_id',
  'is_current',
  'delete_marker',
  'size',
  'etag',
  'last_modified',
  'owner',
  'acl',
  'metadata',
  'tags',
  'checksum_algorithm',
  'checksum_value',
  'checksum_type',
  'inline',
  'blob_id',
  'parts',
  ...ENCRYPTION_COLUMNS,
]
  .map((column) => `v.${column}`)
  .join(', ');

export interface ObjectRow extends EncryptionRow {
  readonly version_id: string;
  readonly is_current: boolean;
  readonly delete_marker: boolean;
  readonly size: string;
  readonly etag: string;
  readonly last_modified: Date;
  readonly owner: string;
  readonly acl: AccessControlList | null;
  readonly metadata: ObjectMetadata;
  readonly tags: Readonly<Record<string, string>> | null;
  readonly checksum_algorithm: ChecksumAlgorithm | null;
  readonly checksum_value: string | null;
  readonly checksum_type: ChecksumType | null;
  readonly inline: boolean;
  readonly blob_id: string | null;
  readonly parts: readonly StoredPart[] | null;
  /** The inlined bytes, where the query asked for them. */
  readonly data?: Buffer | null;
}

/** Turns a row into a stored object. */
export function storedObject(
  bucket: string,
  key: string,
  row: ObjectRow & { readonly versioning: VersioningState },
): StoredObject {
  const record = encryptionRecord(row);
  return {
    info: {
      bucket,
      key,
      versionId: row.version_id,
      versioned: row.versioning !== 'unversioned',
      isLatest: row.is_current,
      deleteMarker: row.delete_marker,
      size: Number(row.size),
      etag: row.etag,
      lastModified: row.last_modified,
      metadata: row.metadata,
      encryption: encryptionInfo(record),
      checksum:
        row.checksum_algorithm === null || row.checksum_value === null
          ? undefined
          : {
              algorithm: row.checksum_algorithm,
              value: row.checksum_value,
              type: row.checksum_type ?? 'FULL_OBJECT',
            },
      parts: row.parts?.map((part) => ({ number: part.n, size: part.s, checksum: part.c })),
      tags: row.tags ?? undefined,
      owner: row.owner,
      acl: row.acl ?? undefined,
    },
    record,
    content: contentOf(row),
  };
}

function contentOf(row: ObjectRow): ObjectContent {
  if (row.parts !== null) {
    return { kind: 'parts', parts: row.parts };
  }
  if (row.blob_id !== null) {
    return { kind: 'blob', id: row.blob_id };
  }
  return { kind: 'inline', data: row.data ?? Buffer.alloc(0) };
}
