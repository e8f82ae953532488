import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Matches } from 'class-validator';

export class NotificationTargetParams {
  @ApiProperty({ example: 'audit' })
  @Matches(/^[a-z0-9][a-z0-9_-]{0,62}$/, { message: 'target must be the name of a target' })
  target!: string;
}

export class NotificationTargetDto {
  @ApiProperty({ example: 'audit' })
  target!: string;

  @ApiProperty({ example: 'arn:minio:sqs::audit:webhook', description: 'What bucket configurations name it by' })
  arn!: string;

  @ApiProperty({ description: 'Whether it is configured and enabled' })
  configured!: boolean;

  @ApiProperty({ description: 'Messages that wait' })
  pending!: number;

  @ApiProperty({ description: 'Messages that were given up' })
  dead!: number;

  @ApiProperty({ description: 'Messages that were taken' })
  delivered!: number;

  @ApiProperty({ description: 'Deliveries in a row that failed' })
  failures!: number;

  @ApiPropertyOptional()
  oldestPending?: Date;

  @ApiPropertyOptional()
  lastDeliveredAt?: Date;

  @ApiPropertyOptional()
  lastError?: string;

  @ApiPropertyOptional()
  lastErrorAt?: Date;
}

export class NotificationTargetListDto {
  @ApiProperty({ type: [NotificationTargetDto], description: 'By name' })
  targets!: readonly NotificationTargetDto[];
}

export class DeadMessagesDto {
  @ApiProperty({ description: 'How many' })
  messages!: number;
}
