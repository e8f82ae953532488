import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { TestReportDto } from './test-report.dto';

/** One wrong field. */
export class FieldProblemDto {
  @ApiProperty({ example: 'endpoint', description: 'Field or JSON path' })
  field!: string;

  @ApiProperty({ example: 'must be a URL such as https://vault.example.com:8200' })
  message!: string;
}

/** RFC 9457 problem details. */
export class ProblemDto {
  @ApiProperty({ example: 'urn:strongroom:problem:config-invalid', description: 'Stable identifier of the failure' })
  type!: string;

  @ApiProperty({ example: 'Invalid configuration' })
  title!: string;

  @ApiProperty({ example: 400 })
  status!: number;

  @ApiProperty({ example: 'kms_vault:default is not valid: endpoint: must be a URL' })
  detail!: string;

  @ApiProperty({ example: '5F0A4C2B9D3E1A77', description: 'Also in the x-amz-request-id header and in the logs' })
  requestId!: string;

  @ApiPropertyOptional({ example: 'Correct the endpoint and repeat the request' })
  remedy?: string;

  @ApiPropertyOptional({ type: [FieldProblemDto] })
  problems?: FieldProblemDto[];

  @ApiPropertyOptional({ type: TestReportDto, description: 'The failed connection test' })
  report?: TestReportDto;

  @ApiPropertyOptional({ type: 'object', additionalProperties: { type: 'string' }, description: 'Further facts' })
  details?: Record<string, string>;

  @ApiPropertyOptional({ example: 'XMinioAdminConfigBadJSON', description: 'For clients of MinIO' })
  Code?: string;

  @ApiPropertyOptional({ description: 'For clients of MinIO; the same as detail' })
  Message?: string;
}
