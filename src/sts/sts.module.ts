import { Module } from '@nestjs/common';
import { IdentityModule } from '../identity/identity.module';
import { StsAuthenticator } from './sts-authenticator';
import { StsGateway } from './sts-gateway';
import { StsService } from './sts.service';

/** The STS face. */
@Module({
  imports: [IdentityModule],
  providers: [StsAuthenticator, StsService, StsGateway],
  exports: [StsGateway],
})
export class StsModule {}
