import type { ConfigManager } from '../../config/config-manager';
import type { FieldDefinition, SubsystemDefinition } from '../../config/subsystem';
import type { ConfigHelpDto, ConfigHelpKeyDto } from './config-kv.dto';

const TYPES: Readonly<Record<Exclude<FieldDefinition['type'], 'enum'>, string>> = {
  string: 'string',
  boolean: 'on|off',
  integer: 'number',
  duration: 'duration',
  url: 'url',
  path: 'path',
};

/** Help in MinIO's shape: every subsystem. */
export function helpOfAll(definitions: readonly SubsystemDefinition[]): ConfigHelpDto {
  const keysHelp = definitions.map((definition) => ({
    key: definition.name,
    description: definition.description,
    optional: true,
    type: '',
    multipleTargets: definition.multipleTargets,
  }));
  return { subSys: '', description: '', multipleTargets: false, keysHelp };
}

/**
 * Help in MinIO's shape: the fields of one subsystem. A field counts as mandatory when a document without any is refused
 * for the lack of it.
 *
 * @param key only this field, where given
 * @param environment names of environment variables instead of fields
 */
export async function helpOfOne(
  definition: SubsystemDefinition,
  key: string,
  environment: boolean,
): Promise<ConfigHelpDto> {
  const defaults = Object.fromEntries(definition.fields.map((field) => [field.name, field.default]));
  const missing = new Set((await definition.validate(defaults)).map((problem) => problem.field));
  const keysHelp = definition.fields
    .filter((field) => key === '' || field.name === key || field.aliases?.includes(key) === true)
    .map((field): ConfigHelpKeyDto => ({
      key: environment ? `STRONGROOM_${definition.name}_${field.name}`.toUpperCase() : field.name,
      description: field.default === undefined ? field.description : `${field.description} Default: ${field.default}.`,
      optional: !missing.has(field.name),
      type: field.type === 'enum' ? (field.values ?? []).join('|') : TYPES[field.type],
      multipleTargets: false,
    }));
  const { name, description, multipleTargets } = definition;
  return { subSys: name, description, multipleTargets, keysHelp };
}

/** The definition of a subsystem. @throws ConfigError `config-unknown-subsystem` */
export async function definitionOf(config: ConfigManager, subsystem: string): Promise<SubsystemDefinition> {
  const found = config.subsystems().find((definition) => definition.name === subsystem);
  if (found === undefined) {
    await config.list(subsystem);
    throw new TypeError(`The configuration ${subsystem} has documents but no definition`);
  }
  return found;
}
