/**
 * Fills the README's tables of environment variables from src/settings. With --check nothing is written and a difference is
 * an error.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const root = new URL('../', import.meta.url);
const compiled = (name) => createRequire(import.meta.url)(fileURLToPath(new URL(`dist/src/settings/${name}.js`, root)));
const { SETTINGS } = compiled('settings-table');
const { OVERLAY_SUBSYSTEMS } = compiled('overlay-table');

const code = (text) => `\`${text}\``;
const cell = (text) => text.replaceAll('|', '\\|');
const table = (...rows) => rows.map((row) => `| ${row.join(' | ')} |`).join('\n');

function staticSettings() {
  const rows = SETTINGS.map((setting) => [
    [setting.name, ...setting.aliases].map(code).join('<br>'),
    setting.default === undefined ? '' : code(setting.default),
    cell(setting.secret ? `${setting.rule} (secret)` : setting.rule),
    cell(setting.description),
  ]);
  return table(['Variable and aliases', 'Default', 'Values', 'Meaning'], ['---', '---', '---', '---'], ...rows);
}

function dynamicFields() {
  const rows = OVERLAY_SUBSYSTEMS.flatMap((subsystem) =>
    subsystem.fields.map((field) => {
      const own = `${subsystem.prefix}${field.toUpperCase()}`;
      const aliases = subsystem.aliases.filter((alias) => alias.field === field).map((alias) => alias.name);
      const secret = subsystem.secretFields.includes(field) ? ' (secret)' : '';
      return [`${code(subsystem.subsystem)} ${code(field)}${secret}`, code(own), aliases.map(code).join('<br>')];
    }),
  );
  return table(['Document and field', 'Variable', 'Aliases'], ['---', '---', '---'], ...rows);
}

const file = new URL('README.md', root);
const text = readFileSync(file, 'utf8');
let updated = text;
for (const [name, content] of [
  ['settings', staticSettings()],
  ['kms-variables', dynamicFields()],
]) {
  const begin = `<!-- ${name}:begin, written by npm run docs:settings -->`;
  const end = `<!-- ${name}:end -->`;
  const [from, to] = [updated.indexOf(begin), updated.indexOf(end)];
  if (from === -1 || to === -1) throw new Error(`README.md has no markers for "${name}"`);
  updated = `${updated.slice(0, from + begin.length)}\n\n${content}\n\n${updated.slice(to)}`;
}

if (process.argv.includes('--check')) {
  if (updated !== text) {
    console.error('The tables of variables in README.md are out of date; run: npm run docs:settings');
    process.exitCode = 1;
  }
} else {
  writeFileSync(file, updated);
}
