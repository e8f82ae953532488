import { Module } from '@nestjs/common';
import { AccessKeyRepository } from './access-key.repository';
import { AccessKeyService } from './access-key.service';
import { GroupRepository } from './group.repository';
import { IdentityAdminService } from './identity-admin.service';
import { IdentityChangeRepository } from './identity-change.repository';
import { IdentityRepository } from './identity.repository';
import { IdentityService } from './identity.service';
import { PolicyRepository } from './policy.repository';
import { SessionRepository } from './session.repository';
import { SessionService } from './session.service';
import { UserRepository } from './user.repository';

/** Who may do what. Needs the global settings and database modules. */
@Module({
  providers: [
    IdentityRepository,
    IdentityService,
    IdentityChangeRepository,
    UserRepository,
    GroupRepository,
    PolicyRepository,
    AccessKeyRepository,
    AccessKeyService,
    SessionRepository,
    SessionService,
    IdentityAdminService,
  ],
  exports: [IdentityService, IdentityAdminService, AccessKeyService, SessionService],
})
export class IdentityModule {}
