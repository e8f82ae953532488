import { OVERLAY_SUBSYSTEMS, type OverlaySubsystem } from './overlay-table';
import { CONFIG_FILE_VARIABLE, SETTINGS, type SettingVariable } from './settings-table';

/**
 * Writes every environment variable as Markdown for the README: one table of static settings, one table for each kind of
 * dynamic configuration that variables can pin.
 */
export function settingsMarkdown(): string {
  const rows = SETTINGS.map(settingRow);
  const file = row([
    `\`${CONFIG_FILE_VARIABLE}\``,
    '',
    '',
    'a path',
    'YAML or JSON file with the names of the column “in the file”, and documents such as `kms_vault:default` under `config`.',
  ]);
  return [
    row(['Variable', 'Also read as', 'In the file', 'Value', 'Meaning']),
    row(['---', '---', '---', '---', '---']),
    ...rows,
    file,
    ...OVERLAY_SUBSYSTEMS.flatMap(overlayTable),
    '',
  ].join('\n');
}

function settingRow(variable: SettingVariable): string {
  const preset = variable.default === undefined ? '' : `; default \`${variable.default}\``;
  const secret = variable.secret === true ? '; secret' : '';
  return row([
    `\`${variable.name}\``,
    names(variable.aliases),
    variable.fileKey === undefined ? '' : `\`${variable.fileKey}\``,
    `${variable.rule}${preset}${secret}`,
    variable.description,
  ]);
}

function overlayTable(definition: OverlaySubsystem): readonly string[] {
  const suffix = definition.multipleTargets ? ', and with `_<TARGET>` appended for other targets' : '';
  return [
    '',
    `\`${definition.subsystem}:default\`${suffix}:`,
    '',
    row(['Variable', 'Also read as', 'Field']),
    row(['---', '---', '---']),
    ...definition.fields.map((field) => {
      const aliases = definition.aliases.filter((alias) => alias.field === field).map((alias) => alias.name);
      const secret = definition.secretFields.includes(field) ? ' (secret)' : '';
      return row([`\`${definition.prefix}${field.toUpperCase()}\``, names(aliases), `\`${field}\`${secret}`]);
    }),
  ];
}

function names(list: readonly string[]): string {
  return list.map((name) => `\`${name}\``).join(', ');
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}
