import { Get, Post } from '@nestjs/common';
import { ApiOperation } from '@nestjs/swagger';
import { AdminController, ApiProblem } from '../admin-controller.decorator';
import { AdminError } from '../admin-error';
import { RequiresAction } from '../requires-action.decorator';

const REASON =
  'Keys of the embedded keyring lie in the database, sealed, and are backed up with it; those of other KMSs by these';

/** RustFS' backup of key files, of which there are none here. */
@AdminController('rustfs/admin/v3/kms', 'kms')
@ApiProblem(501, 'Not offered; `details.unavailable_reason` says why')
export class RustfsBackupController {
  @Get('backup')
  @RequiresAction('kms:Backup')
  @ApiOperation({ summary: 'Not offered: back up the database and the root key' })
  getRustfsBackup(): never {
    return refuse();
  }

  @Post('backup')
  @RequiresAction('kms:Backup')
  @ApiOperation({ summary: 'Not offered: back up the database and the root key' })
  createRustfsBackup(): never {
    return refuse();
  }

  @Post(['restore', 'restore/dry-run', 'restore/abort'])
  @RequiresAction('kms:Restore')
  @ApiOperation({ summary: 'Not offered: restore the database and the root key' })
  restoreRustfsBackup(): never {
    return refuse();
  }
}

function refuse(): never {
  throw new AdminError('NotOffered', REASON, [], {
    details: { export_supported: 'false', unavailable_reason: REASON },
    remedy: 'Back up the database, and keep the root key apart from it.',
  });
}
