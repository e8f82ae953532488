import { Module } from '@nestjs/common';
import { KmsModule } from '../kms/kms.module';
import { RewrapModule } from '../rewrap/rewrap.module';
import { Clock, SystemClock } from './clock';
import { KeyRotator } from './key-rotator.service';
import { RotationLease } from './rotation-lease.repository';
import { RotationPolicies } from './rotation-policy.repository';
import { RotationScheduler } from './rotation-scheduler.service';
import { RotationService } from './rotation.service';
import { RotationStates } from './rotation-state.repository';

/** Rotates KMS keys by policy. */
@Module({
  imports: [KmsModule, RewrapModule],
  providers: [
    { provide: Clock, useClass: SystemClock },
    RotationLease,
    RotationPolicies,
    RotationStates,
    RotationService,
    KeyRotator,
    RotationScheduler,
  ],
  exports: [RotationPolicies, RotationService],
})
export class RotationModule {}
