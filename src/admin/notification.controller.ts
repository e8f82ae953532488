import { Delete, Get, HttpCode, Param, Post } from '@nestjs/common';
import { ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { NotificationService } from '../notifications/notification.service';
import { AdminController, ApiProblem } from './admin-controller.decorator';
import { DeadMessagesDto, NotificationTargetListDto, NotificationTargetParams } from './notification.dto';
import { RequiresAction } from './requires-action.decorator';

/** Targets of bucket notifications; they are configured as `notify_webhook:<target>`. */
@AdminController('api/v1/notification-targets', 'notifications')
export class NotificationController {
  constructor(private readonly notifications: NotificationService) {}

  @Get()
  @RequiresAction('admin:ListNotificationTargets')
  @ApiOperation({ summary: 'Every target with what waits for it, what was given up, and the last error' })
  @ApiOkResponse({ type: NotificationTargetListDto })
  async listNotificationTargets(): Promise<NotificationTargetListDto> {
    return { targets: await this.notifications.list() };
  }

  @Post(':target/redeliver')
  @HttpCode(200)
  @RequiresAction('admin:UpdateNotificationTarget')
  @ApiOperation({ summary: 'Try messages again that were given up, and those that wait at once' })
  @ApiOkResponse({ type: DeadMessagesDto })
  @ApiProblem(404, 'There is no such target')
  async redeliverNotifications(@Param() { target }: NotificationTargetParams): Promise<DeadMessagesDto> {
    return { messages: await this.notifications.redeliver(target) };
  }

  @Delete(':target/dead')
  @RequiresAction('admin:UpdateNotificationTarget')
  @ApiOperation({ summary: 'Forget messages that were given up' })
  @ApiOkResponse({ type: DeadMessagesDto })
  @ApiProblem(404, 'There is no such target')
  async deleteDeadNotifications(@Param() { target }: NotificationTargetParams): Promise<DeadMessagesDto> {
    return { messages: await this.notifications.discard(target) };
  }
}
