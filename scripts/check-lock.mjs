/** Refuses a lock file whose packages come from anywhere but the public registry, or without an integrity hash. */
import { readFileSync } from 'node:fs';

const lock = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8'));
const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const problems = [];

for (const [path, entry] of Object.entries(lock.packages)) {
  if (path === '' || entry.link || entry.inBundle) continue;
  if (entry.resolved !== undefined && new URL(entry.resolved).host !== 'registry.npmjs.org') {
    problems.push(`${path} is resolved from ${new URL(entry.resolved).host}`);
  }
  if (entry.integrity === undefined) problems.push(`${path} has no integrity hash`);
}
for (const group of ['dependencies', 'devDependencies']) {
  for (const [name, range] of Object.entries(manifest[group] ?? {})) {
    if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(range)) problems.push(`${name}: "${range}" is not an exact version`);
    if (lock.packages['']?.[group]?.[name] !== range) problems.push(`${name}: package.json and the lock file differ`);
  }
}

for (const problem of problems) console.error(problem);
process.exitCode = problems.length === 0 ? 0 : 1;
