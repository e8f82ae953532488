import { Module } from '@nestjs/common';
import { AuditModule } from '../audit/audit.module';
import { ConfigManagerModule } from '../config/config.module';
import { IdentityModule } from '../identity/identity.module';
import { KmsModule } from '../kms/kms.module';
import { LifecycleModule } from '../lifecycle/lifecycle.module';
import { NotificationModule } from '../notifications/notification.module';
import { ObjectStorageModule } from '../object-storage/object-storage.module';
import { RewrapModule } from '../rewrap/rewrap.module';
import { RotationModule } from '../rotation/rotation.module';
import { AccessKeyController } from './access-key.controller';
import { AdminAuthGuard } from './admin-auth.guard';
import { AdminAuthenticator } from './admin-authenticator.service';
import { AdminAuthorizer } from './admin-authorizer.service';
import { AuditController } from './audit.controller';
import { AuditInterceptor } from './audit.interceptor';
import { KeyringBackupController } from './backup/keyring-backup.controller';
import { KeyringBackupAdmin } from './backup/keyring-backup-admin.service';
import { BucketEscrowController } from './bucket-escrow.controller';
import { ConfigHelpController } from './config-help.controller';
import { ConfigController } from './config.controller';
import { GroupController } from './group.controller';
import { KeyUsageController } from './key-usage.controller';
import { KeyResources } from './key-resources.service';
import { KeyLifecycleService } from './keys/key-lifecycle.service';
import { KeysController } from './keys/keys.controller';
import { KmsAdminService } from './kms-admin.service';
import { KmsController } from './kms.controller';
import { AdminKmsController } from './minio/admin-kms.controller';
import { ConfigKvController } from './minio/config-kv.controller';
import { ConfigKvService } from './minio/config-kv.service';
import { IamAccessKeysController } from './minio/iam/iam-access-keys.controller';
import { IamAccessKeys } from './minio/iam/iam-access-keys.service';
import { IamAccountController } from './minio/iam/iam-account.controller';
import { IamCallers } from './minio/iam/iam-callers.service';
import { IamGroupsController } from './minio/iam/iam-groups.controller';
import { IamPayloads } from './minio/iam/iam-payloads.service';
import { IamPoliciesController } from './minio/iam/iam-policies.controller';
import { IamPolicies } from './minio/iam/iam-policies.service';
import { IamUsersController } from './minio/iam/iam-users.controller';
import { IamUsers } from './minio/iam/iam-users.service';
import { MadminPayloads } from './minio/madmin-payloads.service';
import { ServerInfoController } from './minio/server-info.controller';
import { MinioKmsController } from './minio-kms.controller';
import { BucketLifecycleController } from './lifecycle/bucket-lifecycle.controller';
import { LifecycleRunsController } from './lifecycle/lifecycle-runs.controller';
import { ScrubController } from './scrub.controller';
import { NotificationController } from './notification.controller';
import { PolicyController } from './policy.controller';
import { RustfsBackupController } from './rustfs/rustfs-backup.controller';
import { RustfsKeysController } from './rustfs/rustfs-keys.controller';
import { RustfsKeys } from './rustfs/rustfs-keys.service';
import { RustfsKmsService } from './rustfs/rustfs-kms-service.service';
import { RustfsLegacyKeysController } from './rustfs/rustfs-legacy-keys.controller';
import { RustfsServiceController } from './rustfs/rustfs-service.controller';
import { RewrapController } from './rewrap.controller';
import { RotationController } from './rotation/rotation.controller';
import { UpgradeController } from './upgrade.controller';
import { UserController } from './user.controller';
import { WhoAmIController } from './whoami.controller';

/** The admin face. `configureAdminApp` must have prepared the application it runs in. */
@Module({
  imports: [
    AuditModule,
    ConfigManagerModule,
    IdentityModule,
    KmsModule,
    ObjectStorageModule,
    LifecycleModule,
    NotificationModule,
    RewrapModule,
    RotationModule,
  ],
  controllers: [
    ConfigKvController,
    ServerInfoController,
    IamUsersController,
    IamPoliciesController,
    IamGroupsController,
    IamAccessKeysController,
    IamAccountController,
    ConfigController,
    ConfigHelpController,
    BucketEscrowController,
    KeyUsageController,
    RotationController,
    KeyringBackupController,
    KeysController,
    KmsController,
    AdminKmsController,
    RustfsServiceController,
    RustfsKeysController,
    RustfsLegacyKeysController,
    RustfsBackupController,
    RewrapController,
    LifecycleRunsController,
    BucketLifecycleController,
    NotificationController,
    ScrubController,
    MinioKmsController,
    UserController,
    AccessKeyController,
    GroupController,
    PolicyController,
    WhoAmIController,
    AuditController,
    UpgradeController,
  ],
  providers: [
    AuditInterceptor,
    AdminAuthGuard,
    AdminAuthenticator,
    AdminAuthorizer,
    KeyResources,
    KmsAdminService,
    KeyLifecycleService,
    KeyringBackupAdmin,
    RustfsKeys,
    RustfsKmsService,
    ConfigKvService,
    MadminPayloads,
    IamCallers,
    IamPayloads,
    IamUsers,
    IamPolicies,
    IamAccessKeys,
  ],
})
export class AdminModule {}
