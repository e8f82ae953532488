import { ApiProperty } from '@nestjs/swagger';
import { Matches, MaxLength, ValidateIf } from 'class-validator';
import { FULL_KEY_REFERENCE } from '../kms/kms-settings';

export class BucketParams {
  @ApiProperty({ example: 'invoices' })
  @Matches(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, { message: 'bucket must be the name of a bucket' })
  bucket!: string;
}

export class SetBucketEscrowDto {
  @ApiProperty({
    type: String,
    nullable: true,
    description: 'Key that seals the object keys of the bucket a second time; null for none',
    example: 'vault:eu/key',
  })
  @ValidateIf((body: SetBucketEscrowDto) => body.target !== null)
  @MaxLength(512)
  @Matches(FULL_KEY_REFERENCE, { message: 'target must be <type>:<target>/<key>, such as vault:eu/key, or null' })
  target!: string | null;
}

export class BucketEscrowDto {
  @ApiProperty({ type: String, nullable: true, description: 'Key in effect; null when there is no second seal' })
  target!: string | null;

  @ApiProperty({ enum: ['bucket', 'deployment'], description: 'Who has set it' })
  source!: 'bucket' | 'deployment';
}
