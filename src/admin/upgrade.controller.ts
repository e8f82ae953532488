import { All, Controller } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { AdminError } from './admin-error';

/** Clients built on madmin v4 fall back to the routes of v3 only when they are told so by status 426. */
@ApiExcludeController()
@Controller(['minio/admin/v4', 'rustfs/admin/v4'])
export class UpgradeController {
  @All('*path')
  refuse(): never {
    throw new AdminError('UpgradeRequired', 'This server speaks version v3 of the admin API', [], {
      remedy: 'Use the same path under /admin/v3',
    });
  }
}
