import { Get, HttpCode, Post } from '@nestjs/common';
import { ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { ConfigManager } from '../config/config-manager';
import type { FieldDefinition } from '../config/subsystem';
import { AdminController } from './admin-controller.decorator';
import { ConfigSubsystemListDto, ConfigValidationDto, type ConfigFieldHelpDto } from './config.dto';
import { RequiresAction } from './requires-action.decorator';

/** What can be configured, and whether what is configured is sound. */
@AdminController('api/v1/config', 'configuration')
export class ConfigHelpController {
  constructor(private readonly config: ConfigManager) {}

  @Get('subsystems')
  @RequiresAction('admin:ConfigUpdate')
  @ApiOperation({ summary: 'Every subsystem with its fields' })
  @ApiOkResponse({ type: ConfigSubsystemListDto })
  listSubsystems(): ConfigSubsystemListDto {
    return {
      subsystems: this.config.subsystems().map((definition) => ({
        name: definition.name,
        description: definition.description,
        multipleTargets: definition.multipleTargets,
        testable: definition.test !== undefined,
        fields: definition.fields.map(helpOf),
      })),
    };
  }

  @Post('validate')
  @HttpCode(200)
  @RequiresAction('admin:ConfigUpdate')
  @ApiOperation({ summary: 'Check every document as it is in force, without connecting to anything' })
  @ApiOkResponse({ type: ConfigValidationDto })
  async validateConfig(): Promise<ConfigValidationDto> {
    const documents = (await this.config.validateAllConfigs()).filter(({ problems }) => problems.length > 0);
    return { valid: documents.length === 0, documents };
  }
}

function helpOf(field: FieldDefinition): ConfigFieldHelpDto {
  return {
    name: field.name,
    type: field.type,
    description: field.description,
    secret: field.secret === true,
    default: field.default,
    values: field.values,
    example: field.example,
    aliases: field.aliases ?? [],
  };
}
