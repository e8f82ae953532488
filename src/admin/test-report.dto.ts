import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';

/** One step of a connection test. */
export class TestStepDto {
  @ApiProperty({ example: 'authenticate' })
  name!: string;

  @ApiProperty({ enum: ['passed', 'failed', 'warning', 'skipped'] })
  outcome!: 'passed' | 'failed' | 'warning' | 'skipped';

  @ApiProperty({ example: 12.4 })
  milliseconds!: number;

  @ApiProperty({ example: 'The token is valid for 23 hours' })
  detail!: string;

  @ApiPropertyOptional({ example: 'Give the token a policy with update on transit/datakey/plaintext/app-key' })
  remedy?: string;
}

/** A connection test, step by step. */
export class TestReportDto {
  @ApiProperty({ description: 'Whether no step failed' })
  ok!: boolean;

  @ApiProperty({ example: 48.2 })
  milliseconds!: number;

  @ApiProperty({ type: [TestStepDto] })
  steps!: readonly TestStepDto[];
}
