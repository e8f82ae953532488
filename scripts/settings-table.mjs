/**
 * Fills the README's settings table from src/settings/settings-table.ts. With --check nothing is written and a difference is
 * an error.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const root = new URL('../', import.meta.url);
const BEGIN = '<!-- settings:begin (npm run docs:settings) -->';
const END = '<!-- settings:end -->';

const require = createRequire(import.meta.url);
const { SETTINGS } = require(fileURLToPath(new URL('dist/src/settings/settings-table.js', root)));

const code = (text) => `\`${text}\``;
const cell = (text) => text.replaceAll('|', '\\|');

const rows = SETTINGS.map((setting) => {
  const names = [setting.name, ...setting.aliases].map(code).join('<br>');
  const values = setting.secret ? `${setting.rule} (secret)` : setting.rule;
  const fallback = setting.default === undefined ? '' : code(setting.default);
  return `| ${names} | ${fallback} | ${cell(values)} | ${cell(setting.description)} |`;
});
const table = ['| Variable and aliases | Default | Values | Meaning |', '| --- | --- | --- | --- |', ...rows].join(
  '\n',
);

const file = new URL('README.md', root);
const text = readFileSync(file, 'utf8');
const begin = text.indexOf(BEGIN);
const end = text.indexOf(END);
if (begin === -1 || end === -1) throw new Error('README.md has no markers for the settings table');
const updated = `${text.slice(0, begin + BEGIN.length)}\n\n${table}\n\n${text.slice(end)}`;

if (process.argv.includes('--check')) {
  if (updated !== text) {
    console.error('The settings table of README.md is out of date; run: npm run docs:settings');
    process.exitCode = 1;
  }
} else {
  writeFileSync(file, updated);
}
