import { ApiProperty, ApiPropertyOptional, getSchemaPath } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsInt, IsOptional, IsString, Matches, Max, MaxLength, Min } from 'class-validator';
import type { FieldValue } from '../config/subsystem';
import { QueryFlag } from './query-flag';
import { TestReportDto } from './test-report.dto';

const ANY_VALUE = { oneOf: [{ type: 'string' }, { type: 'number' }, { type: 'boolean' }] };

/** Which document a route speaks of. */
export class ConfigSubsystemParams {
  @ApiProperty({ example: 'kms_vault' })
  @Matches(/^[a-z][a-z0-9_]{0,63}$/, { message: 'subsystem must be a name such as kms_vault' })
  subsystem!: string;
}

export class ConfigDocumentParams extends ConfigSubsystemParams {
  @ApiProperty({ example: 'default', description: '`_` means `default`, as in mc' })
  @Matches(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/, { message: 'target must be a name such as default' })
  target!: string;
}

class ChangeQuery {
  @QueryFlag('Apply although the connection test failed')
  force?: boolean;

  @ApiPropertyOptional({ description: 'Refuse when the stored version is another one', example: 3 })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(0)
  'expected-version'?: number;

  @ApiPropertyOptional({ description: 'Why; kept in the history', maxLength: 1024 })
  @IsOptional()
  @IsString()
  @MaxLength(1024)
  reason?: string;
}

export class DeleteConfigQuery extends ChangeQuery {}

export class SetConfigQuery extends ChangeQuery {
  @QueryFlag('Validate and test only; nothing is stored')
  'dry-run'?: boolean;
}

export class TestConfigQuery {
  @QueryFlag('Says that nothing is stored, which is always so here')
  'dry-run'?: boolean;
}

export class HistoryQuery {
  @ApiPropertyOptional({ minimum: 1, maximum: 1000, default: 50 })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(1000)
  limit?: number;
}

export class RollbackDto {
  @ApiProperty({ example: 3, description: 'Version of the history to return to' })
  @IsInt()
  @Min(1)
  version!: number;
}

/** One field with the place its value came from. */
export class EffectiveFieldDto {
  @ApiPropertyOptional({ ...ANY_VALUE, description: 'Secrets are masked', example: 'https://vault.example.com:8200' })
  value!: FieldValue | undefined;

  @ApiProperty({ enum: ['environment', 'database', 'file', 'default'] })
  source!: string;

  @ApiPropertyOptional({ description: 'The variable or file that set it', example: 'RUSTFS_KMS_VAULT_ENDPOINT' })
  origin?: string;

  @ApiProperty()
  secret!: boolean;
}

/** A configuration document, masked. */
export class ConfigReadoutDto {
  @ApiProperty({ example: 'kms_vault' })
  subsystem!: string;

  @ApiProperty({ example: 'default' })
  target!: string;

  @ApiProperty({ description: 'Stored version; 0 when nothing is stored', example: 3 })
  version!: number;

  @ApiProperty()
  enabled!: boolean;

  @ApiPropertyOptional()
  updatedAt?: Date;

  @ApiPropertyOptional({ example: 'root' })
  updatedBy?: string;

  @ApiProperty({ type: 'object', additionalProperties: { $ref: getSchemaPath(EffectiveFieldDto) } })
  fields!: Readonly<Record<string, EffectiveFieldDto>>;
}

export class ConfigListDto {
  @ApiProperty({ type: [ConfigReadoutDto] })
  config!: readonly ConfigReadoutDto[];
}

/** Answer to a change or a dry run. */
export class PropagationDto {
  @ApiProperty({ description: 'Processes that follow the configuration', example: 2 })
  processes!: number;

  @ApiProperty({ description: 'Of these, how many had not applied the change when the answer was sent', example: 0 })
  lagging!: number;
}

export class ConfigChangeDto {
  @ApiProperty({ description: 'False for a dry run' })
  applied!: boolean;

  @ApiPropertyOptional({ type: ConfigReadoutDto, description: 'The document as it now is; absent for a dry run' })
  config?: ConfigReadoutDto;

  @ApiPropertyOptional({ type: TestReportDto, description: 'Absent where there was nothing to test' })
  test?: TestReportDto;

  @ApiPropertyOptional({ type: PropagationDto, description: 'Absent for a dry run' })
  propagation?: PropagationDto;
}

export class ConfigDiffDto {
  @ApiProperty({ example: 'endpoint' })
  field!: string;

  @ApiPropertyOptional({ ...ANY_VALUE, description: 'Secrets are masked' })
  before?: FieldValue;

  @ApiPropertyOptional({ ...ANY_VALUE, description: 'Secrets are masked' })
  after?: FieldValue;
}

export class ConfigHistoryEntryDto {
  @ApiProperty({ example: 3 })
  version!: number;

  @ApiProperty({ example: 'kms_vault' })
  subsystem!: string;

  @ApiProperty({ example: 'default' })
  target!: string;

  @ApiProperty({ enum: ['set', 'delete', 'rollback'] })
  action!: string;

  @ApiProperty()
  changedAt!: Date;

  @ApiProperty({ example: 'root' })
  changedBy!: string;

  @ApiPropertyOptional()
  comment?: string;

  @ApiProperty({ type: [ConfigDiffDto] })
  diff!: readonly ConfigDiffDto[];
}

export class ConfigHistoryDto {
  @ApiProperty({ type: [ConfigHistoryEntryDto] })
  entries!: readonly ConfigHistoryEntryDto[];
}

/** One field of a subsystem, as help for operators and forms. */
export class ConfigFieldHelpDto {
  @ApiProperty({ example: 'endpoint' })
  name!: string;

  @ApiProperty({ enum: ['string', 'boolean', 'integer', 'duration', 'url', 'path', 'enum'] })
  type!: string;

  @ApiProperty()
  description!: string;

  @ApiProperty({ description: 'Sealed at rest and masked in every answer' })
  secret!: boolean;

  @ApiPropertyOptional(ANY_VALUE)
  default?: FieldValue;

  @ApiPropertyOptional({ type: [String] })
  values?: readonly string[];

  @ApiPropertyOptional(ANY_VALUE)
  example?: FieldValue;

  @ApiProperty({ type: [String], description: 'Other spellings that are accepted' })
  aliases!: readonly string[];
}

export class ConfigSubsystemDto {
  @ApiProperty({ example: 'kms_vault' })
  name!: string;

  @ApiProperty()
  description!: string;

  @ApiProperty({ description: 'Whether other targets than `default` may exist' })
  multipleTargets!: boolean;

  @ApiProperty({ description: 'Whether there is a connection test' })
  testable!: boolean;

  @ApiProperty({ type: [ConfigFieldHelpDto] })
  fields!: readonly ConfigFieldHelpDto[];
}

export class ConfigSubsystemListDto {
  @ApiProperty({ type: [ConfigSubsystemDto] })
  subsystems!: readonly ConfigSubsystemDto[];
}

export class InvalidDocumentDto {
  @ApiProperty({ example: 'kms_vault' })
  subsystem!: string;

  @ApiProperty({ example: 'default' })
  target!: string;

  @ApiProperty({
    type: 'array',
    items: { type: 'object', properties: { field: { type: 'string' }, message: { type: 'string' } } },
  })
  problems!: readonly { readonly field: string; readonly message: string }[];
}

export class ConfigValidationDto {
  @ApiProperty()
  valid!: boolean;

  @ApiProperty({ type: [InvalidDocumentDto] })
  documents!: readonly InvalidDocumentDto[];
}
