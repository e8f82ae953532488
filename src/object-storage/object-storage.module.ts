import { Module } from '@nestjs/common';
import { CryptoModule } from '../crypto/crypto.module';
import { KmsModule } from '../kms/kms.module';
import { Settings } from '../settings/settings';
import { BlobReaper } from './blob-reaper.service';
import { BlobRepository } from './blob.repository';
import { BlobScrubber } from './blob-scrubber.service';
import { BlobStore } from './blob-store';
import { BucketDocumentCache } from './bucket-document-cache.service';
import { BucketRepository } from './bucket.repository';
import { BucketService } from './bucket.service';
import { FilesystemBlobStore } from './filesystem-blob-store';
import { KeyUsageRepository } from './key-usage.repository';
import { KeyUsageService } from './key-usage.service';
import { ListingRepository } from './listing.repository';
import { ListingService } from './listing.service';
import { MultipartRepository } from './multipart.repository';
import { MultipartService } from './multipart.service';
import { ObjectCopier } from './object-copier.service';
import { ObjectDeleter } from './object-deleter.service';
import { ObjectFinder } from './object-finder.service';
import { ObjectLockService } from './object-lock.service';
import { ObjectPutter } from './object-putter.service';
import { ObjectReader } from './object-reader.service';
import { ObjectRepository } from './object.repository';
import { ObjectService } from './object.service';
import { ObjectStateRepository } from './object-state.repository';
import { ObjectStateService } from './object-state.service';
import { ObjectWriter } from './object-writer.service';
import { PartUploader } from './part-uploader.service';
import { SealedKeyRepository } from './sealed-key.repository';
import { ScrubRepository } from './scrub.repository';
import { UploadLister } from './upload-lister.service';

/** Buckets, objects, uploads and their bytes. */
@Module({
  imports: [CryptoModule, KmsModule],
  providers: [
    {
      provide: BlobStore,
      inject: [Settings],
      useFactory: (settings: Settings) => new FilesystemBlobStore(settings.blobDir),
    },
    BlobRepository,
    BucketRepository,
    BucketDocumentCache,
    ListingRepository,
    MultipartRepository,
    ObjectRepository,
    ObjectFinder,
    ObjectReader,
    ObjectWriter,
    ObjectPutter,
    ObjectCopier,
    ObjectDeleter,
    PartUploader,
    UploadLister,
    KeyUsageRepository,
    KeyUsageService,
    SealedKeyRepository,
    BlobReaper,
    ScrubRepository,
    BlobScrubber,
    ObjectLockService,
    ObjectStateRepository,
    ObjectStateService,
    ObjectService,
    MultipartService,
    BucketService,
    ListingService,
  ],
  exports: [
    BucketRepository,
    BucketDocumentCache,
    ObjectLockService,
    ObjectStateService,
    ObjectService,
    MultipartService,
    BucketService,
    ListingService,
    BlobReaper,
    BlobStore,
    BlobScrubber,
    ScrubRepository,
    KeyUsageService,
    SealedKeyRepository,
  ],
})
export class ObjectStorageModule {}
