import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { BucketKeys } from '../../src/crypto/bucket-keys';
import { loadChecksums } from '../../src/crypto/checksums';
import type { CustomerKey } from '../../src/crypto/encryption.types';
import { ObjectCipher } from '../../src/crypto/object-cipher.service';
import type { Database } from '../../src/database/database';
import { BlobReaper } from '../../src/object-storage/blob-reaper.service';
import { BlobRepository } from '../../src/object-storage/blob.repository';
import type { BlobStore } from '../../src/object-storage/blob-store';
import { BucketDocumentCache } from '../../src/object-storage/bucket-document-cache.service';
import { BucketRepository } from '../../src/object-storage/bucket.repository';
import { BucketService } from '../../src/object-storage/bucket.service';
import { FilesystemBlobStore } from '../../src/object-storage/filesystem-blob-store';
import { ListingRepository } from '../../src/object-storage/listing.repository';
import { ListingService } from '../../src/object-storage/listing.service';
import { MultipartRepository } from '../../src/object-storage/multipart.repository';
import { MultipartService } from '../../src/object-storage/multipart.service';
import { ObjectCopier } from '../../src/object-storage/object-copier.service';
import { ObjectDeleter } from '../../src/object-storage/object-deleter.service';
import { ObjectFinder } from '../../src/object-storage/object-finder.service';
import { ObjectLockService } from '../../src/object-storage/object-lock.service';
import { ObjectPutter } from '../../src/object-storage/object-putter.service';
import { ObjectReader } from '../../src/object-storage/object-reader.service';
import { ObjectRepository } from '../../src/object-storage/object.repository';
import { ObjectService } from '../../src/object-storage/object.service';
import type { ObjectBody, OpenedObject, PutObjectCommand } from '../../src/object-storage/object-storage.types';
import { ObjectWriter } from '../../src/object-storage/object-writer.service';
import { PartUploader } from '../../src/object-storage/part-uploader.service';
import { UploadLister } from '../../src/object-storage/upload-lister.service';
import { Settings, type SettingsValues } from '../../src/settings/settings';
import { MemoryDataKeys } from '../fakes/memory-data-keys';
import { createTestDatabase, type TestDatabase } from './database';

/** The object store on a real Postgres and a real directory, with a KMS in memory. */
export interface TestStorage {
  readonly directory: string;
  readonly database: TestDatabase;
  readonly dataKeys: MemoryDataKeys;
  readonly blobs: BlobStore;
  readonly objects: ObjectService;
  readonly multipart: MultipartService;
  readonly buckets: BucketService;
  readonly locks: ObjectLockService;
  readonly listing: ListingService;
  readonly reaper: BlobReaper;
  put(
    bucket: string,
    key: string,
    content: Buffer | string,
    more?: Partial<PutObjectCommand>,
  ): ReturnType<ObjectService['put']>;
  /** Reads an object whole. */
  read(bucket: string, key: string, more?: Partial<Parameters<ObjectService['open']>[0]>): Promise<Buffer>;
  close(): Promise<void>;
}

export interface TestStorageOptions {
  readonly settings?: Partial<SettingsValues>;
  /** Puts something between the object store and its directory, to make it fail. */
  readonly wrap?: (store: BlobStore) => BlobStore;
}

/** Builds a store of its own for one test file. */
export async function createTestStorage(options: TestStorageOptions = {}): Promise<TestStorage> {
  await loadChecksums();
  const database = await createTestDatabase();
  const directory = await mkdtemp(join(tmpdir(), 'strongroom-storage-'));
  const dataKeys = new MemoryDataKeys();
  const services = assemble(database.database, directory, dataKeys, options);
  return {
    directory,
    database,
    dataKeys,
    ...services,
    put: (bucket, key, content, more = {}) =>
      services.objects.put({ bucket, key, body: bodyOf(content), metadata: { user: {} }, owner: 'owner', ...more }),
    read: async (bucket, key, more = {}) => contentOf(await services.objects.open({ bucket, key, ...more })),
    close: async () => {
      await database.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function assemble(
  database: Database,
  directory: string,
  dataKeys: MemoryDataKeys,
  { settings: values, wrap = (store) => store }: TestStorageOptions,
) {
  const settings = new Settings({
    inlineLimit: 32768,
    autoEncryption: 'off',
    dareCipher: 'AES-256-GCM',
    ...values,
  } as SettingsValues);
  const blobs = wrap(new FilesystemBlobStore(directory));
  const cipher = new ObjectCipher(dataKeys, new BucketKeys(dataKeys));
  const bucketRows = new BucketRepository(database);
  const objectRows = new ObjectRepository(database);
  const uploadRows = new MultipartRepository(database);
  const listingRows = new ListingRepository(database);
  const finder = new ObjectFinder(objectRows);
  const reader = new ObjectReader(cipher, blobs);
  const writer = new ObjectWriter(cipher, blobs, settings);
  const putter = new ObjectPutter(writer, objectRows, settings);
  const copier = new ObjectCopier(finder, reader, putter, cipher, objectRows, bucketRows, settings);
  const deleter = new ObjectDeleter(objectRows);
  const parts = new PartUploader(uploadRows, writer, cipher, finder, reader);
  const lister = new UploadLister(listingRows, bucketRows);
  return {
    blobs,
    objects: new ObjectService(finder, reader, putter, copier, deleter, objectRows, bucketRows, settings),
    multipart: new MultipartService(uploadRows, bucketRows, objectRows, cipher, parts, lister, settings),
    buckets: new BucketService(bucketRows, new BucketDocumentCache(database, bucketRows)),
    locks: new ObjectLockService(bucketRows, finder, objectRows),
    listing: new ListingService(listingRows, bucketRows),
    reaper: new BlobReaper(new BlobRepository(database), blobs, uploadRows),
  };
}

/** A body of known content that arrives in pieces of 64 KiB. */
export function bodyOf(content: Buffer | string, expectation: Partial<ObjectBody['expectation']> = {}): ObjectBody {
  const bytes = Buffer.from(content);
  return { stream: Readable.from(pieces(bytes)), expectation: { length: bytes.length, ...expectation } };
}

function* pieces(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65536) {
    yield bytes.subarray(at, at + 65536);
  }
}

/** Reads an opened object to its end. */
export async function contentOf(opened: OpenedObject): Promise<Buffer> {
  return Buffer.isBuffer(opened.body) ? opened.body : buffer(opened.body);
}

/** A customer key as a client would send it. */
export function customerKey(): CustomerKey {
  const key = randomBytes(32);
  return { key, md5: createHash('md5').update(key).digest('base64') };
}
