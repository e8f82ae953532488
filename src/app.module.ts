import { type DynamicModule, Module } from '@nestjs/common';
import { AdminModule } from './admin/admin.module';
import { AuditModule } from './audit/audit.module';
import { ConfigManagerModule } from './config/config.module';
import { CryptoModule } from './crypto/crypto.module';
import { DatabaseModule } from './database/database.module';
import { IdentityModule } from './identity/identity.module';
import { KeyDeletionModule } from './key-deletion/key-deletion.module';
import { KmsModule } from './kms/kms.module';
import { LifecycleModule } from './lifecycle/lifecycle.module';
import { NotificationModule } from './notifications/notification.module';
import { ObjectStorageModule } from './object-storage/object-storage.module';
import { ObservabilityModule } from './observability/observability.module';
import { RewrapModule } from './rewrap/rewrap.module';
import { S3Module } from './s3/s3.module';
import { SettingsModule } from './settings/settings.module';
import type { Settings } from './settings/settings';
import { StsModule } from './sts/sts.module';

/** The composition root: the only place that knows every module. */
@Module({})
export class AppModule {
  static forRoot(settings: Settings): DynamicModule {
    return {
      module: AppModule,
      imports: [
        SettingsModule.forRoot(settings),
        DatabaseModule,
        AuditModule,
        ConfigManagerModule,
        KmsModule,
        CryptoModule,
        ObjectStorageModule,
        NotificationModule,
        LifecycleModule,
        RewrapModule,
        KeyDeletionModule,
        IdentityModule,
        S3Module,
        StsModule,
        AdminModule,
        ObservabilityModule,
      ],
    };
  }
}
