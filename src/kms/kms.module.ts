import { Module } from '@nestjs/common';
import { ConfigManagerModule } from '../config/config.module';
import { KeyringBackup } from './backup/keyring-backup.service';
import { KeyringSnapshots } from './backup/keyring-snapshot.repository';
import { DataKeys } from './data-keys';
import { KeyNotes } from './key-notes.repository';
import { KeptKeyStateRepository } from './kept-key-state.repository';
import { KeptKeyStates } from './kept-key-states';
import { Keyring } from './keyring';
import { KeyringRepository } from './keyring.repository';
import { KmsRegistry } from './kms-registry.service';
import { KeyWrapsRepository } from './key-wraps.repository';
import { KmsService } from './kms.service';
import { WrapCounter } from './wrap-counter';

/** Keys alone: knows no objects and no HTTP. */
@Module({
  imports: [ConfigManagerModule],
  providers: [
    KeyNotes,
    KeptKeyStateRepository,
    KeptKeyStates,
    KeyringSnapshots,
    KeyringBackup,
    KeyWrapsRepository,
    WrapCounter,
    KeyringRepository,
    Keyring,
    KmsRegistry,
    KmsService,
    { provide: DataKeys, useExisting: KmsService },
  ],
  exports: [KmsService, DataKeys, KeyNotes, KeptKeyStateRepository, KeyWrapsRepository, KeyringBackup],
})
export class KmsModule {}
