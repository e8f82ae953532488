import { Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import type { Principal } from '../identity/identity.types';
import { AdminController } from './admin-controller.decorator';
import { Caller } from './caller.decorator';
import { WhoAmIDto } from './identity-response.dto';
import { AnyCaller } from './requires-action.decorator';

/** The caller, as the server sees it. */
@AdminController('api/v1/whoami', 'identity')
export class WhoAmIController {
  @Get()
  @AnyCaller()
  @ApiOperation({ summary: 'Whose credentials these are' })
  @ApiOkResponse({ type: WhoAmIDto })
  whoAmI(@Caller() caller: Principal): WhoAmIDto {
    const { kind, name, accessKeyId, ownerId } = caller;
    return { kind, name, accessKeyId: accessKeyId ?? '', ownerId };
  }
}
