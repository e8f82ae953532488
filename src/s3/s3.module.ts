import { Module } from '@nestjs/common';
import { IdentityModule } from '../identity/identity.module';
import { KmsModule } from '../kms/kms.module';
import { NotificationModule } from '../notifications/notification.module';
import { ObjectStorageModule } from '../object-storage/object-storage.module';
import { AcceptedDocumentOperations } from './operations/accepted-document.operations';
import { AclOperations } from './operations/acl.operations';
import { BucketConfigurationOperations } from './operations/bucket-configuration.operations';
import { BucketOperations } from './operations/bucket.operations';
import { CopyOperations } from './operations/copy.operations';
import { DeleteOperations } from './operations/delete.operations';
import { EncryptionOperations } from './operations/encryption.operations';
import { ListingOperations } from './operations/listing.operations';
import { MultipartListingOperations } from './operations/multipart-listing.operations';
import { MultipartOperations } from './operations/multipart.operations';
import { NotificationOperations } from './operations/notification.operations';
import { ObjectLockOperations } from './operations/object-lock.operations';
import { ObjectReadOperations } from './operations/object-read.operations';
import { ObjectStateOperations } from './operations/object-state.operations';
import { ObjectWriteOperations } from './operations/object-write.operations';
import { PolicyOperations } from './operations/policy.operations';
import { PostObjectOperations } from './operations/post-object.operations';
import { RuleDocumentOperations } from './operations/rule-document.operations';
import { TaggingOperations } from './operations/tagging.operations';
import { LifecycleHeaders } from './lifecycle-headers';
import { AclAuthorizer } from './acl-authorizer';
import { AclRequests } from './acl-requests';
import { BucketAccessReader } from './bucket-access-reader';
import { S3Authenticator } from './s3-authenticator';
import { RequestConditions } from './request-conditions';
import { S3Authorizer } from './s3-authorizer';
import { S3Cors } from './s3-cors';
import { S3Events } from './s3-events';
import { S3Gateway } from './s3-gateway';
import { S3Operations } from './s3-operations';

/** The S3 face. */
@Module({
  imports: [IdentityModule, KmsModule, ObjectStorageModule, NotificationModule],
  providers: [
    AcceptedDocumentOperations,
    AclOperations,
    BucketConfigurationOperations,
    BucketOperations,
    CopyOperations,
    DeleteOperations,
    EncryptionOperations,
    ListingOperations,
    MultipartListingOperations,
    MultipartOperations,
    NotificationOperations,
    ObjectLockOperations,
    ObjectReadOperations,
    ObjectStateOperations,
    ObjectWriteOperations,
    PolicyOperations,
    PostObjectOperations,
    RuleDocumentOperations,
    TaggingOperations,
    LifecycleHeaders,
    S3Events,
    AclAuthorizer,
    AclRequests,
    BucketAccessReader,
    S3Authenticator,
    RequestConditions,
    S3Authorizer,
    S3Cors,
    S3Gateway,
    S3Operations,
  ],
  exports: [S3Gateway],
})
export class S3Module {}
