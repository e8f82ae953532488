import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';
import type { Statement } from '../database/statement';
import { prefixEnd } from './key-bounds';
import type { ChecksumAlgorithm, ChecksumType } from './object-storage.types';
import type { EncryptionRow } from './encryption-columns';
import { type ScanRow, skipScan } from './skip-scan';

/** Below every sequence number of a version. */
const LEAST_SEQUENCE = '-9223372036854775808';

/** Text that compares bytewise; a recursive query insists on the column's own collation. */
const C_TEXT = 'text COLLATE "C"';

/** Those of {@link pageParameters} that do not speak of a delimiter. */
const RANGE_PARAMETERS = 5;

/** Both functions read rows in order and take one step of an index for each common prefix; see their migration. */
const OBJECTS: Statement = {
  name: 'listing.objects',
  text: 'SELECT * FROM object_list($1, $2, $3, $4, $5, $6, $7, $8)',
};
const VERSIONS: Statement = {
  name: 'listing.versions',
  text: 'SELECT * FROM object_version_list($1, $2, $3, $4, $5, $6, $7, $8)',
};

const UPLOADS = skipScan({
  name: 'listing.uploads',
  table: 'multipart_upload',
  filter: 't.completed_at IS NULL',
  columns: {
    owner: { type: 'text' },
    initiator: { type: 'text' },
    initiated_at: { type: 'timestamptz' },
    storage_class: { type: 'text', from: "t.metadata ->> 'storageClass'" },
    checksum_algorithm: { type: 'text' },
    checksum_type: { type: 'text' },
    mode: { type: 'text' },
    kms: { type: 'text' },
    kms_key_id: { type: 'text' },
    kms_key_version: { type: 'text' },
    kms_context: { type: 'jsonb' },
    bucket_key: { type: 'boolean' },
    id: { type: C_TEXT },
  },
  tie: { column: 'id', type: C_TEXT, least: '' },
});

const SEQUENCE: Statement = {
  name: 'listing.sequence',
  text: `SELECT seq FROM object_version WHERE bucket_id = $1 AND key = $2 AND version_id = $3`,
};

const UPLOAD_KEY: Statement = {
  name: 'listing.upload-key',
  text: `SELECT key FROM multipart_upload WHERE bucket_id = $1 AND id = $2`,
};

/** The part of a bucket that one page of a listing looks at. */
export interface Page {
  readonly bucketId: number;
  readonly prefix: string;
  readonly delimiter?: string;
  /** First key, inclusive. */
  readonly from: string;
  /** With versions and uploads: rows of the first key up to this one, inclusive, are left out. */
  readonly afterTie?: string;
  readonly limit: number;
}

export interface ListedRow {
  readonly size: string;
  readonly etag: string;
  readonly last_modified: Date;
  readonly owner: string;
  readonly storage_class: string | null;
  readonly checksum_algorithm: ChecksumAlgorithm | null;
  readonly checksum_type: ChecksumType | null;
}

export interface ListedVersionRow extends ListedRow {
  readonly version_id: string;
  readonly is_current: boolean;
  readonly delete_marker: boolean;
}

export interface ListedUploadRow extends Pick<
  EncryptionRow,
  'mode' | 'kms' | 'kms_key_id' | 'kms_key_version' | 'kms_context' | 'bucket_key'
> {
  readonly id: string;
  readonly owner: string;
  readonly initiator: string | null;
  readonly initiated_at: Date;
  readonly storage_class: string | null;
  readonly checksum_algorithm: ChecksumAlgorithm | null;
  readonly checksum_type: ChecksumType | null;
}

/** Reads pages of listings. */
@Injectable()
export class ListingRepository {
  constructor(private readonly database: Database) {}

  /** Current objects, or common prefixes, in key order. */
  objects(page: Page): Promise<ScanRow<ListedRow>[]> {
    return this.database.query(OBJECTS, pageParameters(page, LEAST_SEQUENCE));
  }

  /** All versions and delete markers, newest first within a key. */
  versions(page: Page): Promise<ScanRow<ListedVersionRow>[]> {
    return this.database.query(VERSIONS, pageParameters(page, LEAST_SEQUENCE));
  }

  /** Uploads in progress, oldest first within a key. */
  uploads(page: Page): Promise<ScanRow<ListedUploadRow>[]> {
    const parameters = pageParameters(page, '');
    return page.delimiter
      ? this.database.query(UPLOADS.delimited, parameters)
      : this.database.query(UPLOADS.flat, parameters.slice(0, RANGE_PARAMETERS));
  }

  /** The key that an upload is for; undefined when there is no such upload, or no more. */
  async keyOfUpload(bucketId: number, uploadId: string): Promise<string | undefined> {
    const [row] = await this.database.query<{ key: string }>(UPLOAD_KEY, [bucketId, uploadId]);
    return row?.key;
  }

  /** The place of a version in its key's history, for version listings that continue after it. */
  async sequence(bucketId: number, key: string, versionId: string): Promise<string | undefined> {
    const [row] = await this.database.query<{ seq: string }>(SEQUENCE, [bucketId, key, versionId]);
    return row?.seq;
  }
}

/** The parameters that all listings take, in their order. */
function pageParameters(page: Page, least: string): unknown[] {
  const { bucketId, prefix, delimiter, from, afterTie = least, limit } = page;
  const range = [bucketId, from, afterTie, prefixEnd(prefix), limit];
  return delimiter ? [...range, delimiter, prefixEnd(delimiter), [...prefix].length] : [...range, null, null, 0];
}
