/**
 * Writes the tables of docs/kms-providers.md from the capabilities that the contract suite pins
 * (test/contract/provider-pins.json). With --check nothing is written and a difference is an error.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const root = new URL('../', import.meta.url);
const pins = JSON.parse(readFileSync(new URL('test/contract/provider-pins.json', root), 'utf8'));

/** Column titles of the capabilities, in the order of the table. */
const TITLES = {
  createKey: 'create',
  importKey: 'import',
  listKeys: 'list',
  rotateKey: 'rotate',
  keyVersions: 'versions told',
  enableDisable: 'enable, disable',
  scheduleDeletion: 'schedule and cancel deletion',
  deleteKey: 'delete at once',
  rewrap: 'rewrap inside the KMS',
  bindsContext: 'context bound',
};

const row = (cells) => `| ${cells.join(' | ')} |`;

for (const [type, { capabilities }] of Object.entries(pins)) {
  const known = Object.keys(TITLES).sort().join();
  if (Object.keys(capabilities).sort().join() !== known) {
    throw new Error(`The capabilities pinned for ${type} are not those of scripts/kms-table.mjs`);
  }
}

const names = Object.keys(TITLES);

/** What a KMS cannot do, this store does in its place where it can. */
function cell(able, name) {
  const keptHere = name === 'enableDisable' || (name === 'scheduleDeletion' && able.deleteKey);
  return able[name] ? 'yes' : keptHere ? 'here' : '–';
}

const capabilities = [
  row(['Document', 'KMS', ...names.map((name) => TITLES[name])]),
  row(['---', '---', ...names.map(() => ':-:')]),
  ...Object.values(pins).map((pin) =>
    row([`\`${pin.subsystem}\``, pin.title, ...names.map((name) => cell(pin.capabilities, name))]),
  ),
].join('\n');
const runs = [
  row(['Document', 'Context bound by', 'Contract suite run against']),
  row(['---', '---', '---']),
  ...Object.values(pins).map((pin) => row([`\`${pin.subsystem}\``, pin.contextBinding, pin.runAgainst.join('; ')])),
].join('\n');

const file = new URL('docs/kms-providers.md', root);
const text = readFileSync(file, 'utf8');
let updated = text;
for (const [name, content] of [
  ['capabilities', capabilities],
  ['runs', runs],
]) {
  const begin = `<!-- ${name}:begin, written by npm run docs:kms -->`;
  const end = `<!-- ${name}:end -->`;
  const [from, to] = [updated.indexOf(begin), updated.indexOf(end)];
  if (from === -1 || to === -1) throw new Error(`docs/kms-providers.md has no markers for "${name}"`);
  updated = `${updated.slice(0, from + begin.length)}\n\n${content}\n\n${updated.slice(to)}`;
}

if (process.argv.includes('--check')) {
  if (updated !== text) {
    console.error('The tables of docs/kms-providers.md are out of date; run: npm run docs:kms');
    process.exitCode = 1;
  }
} else {
  writeFileSync(file, updated);
}
