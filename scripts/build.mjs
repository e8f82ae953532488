// Compiles src and migrations into dist, only what changed, removes what has no source any more, and stamps the result.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
const cli = createRequire(import.meta.url).resolve('@nestjs/cli/bin/nest.js');
const result = spawnSync(process.execPath, [cli, 'build'], { cwd: root, stdio: 'inherit' });
if (result.status === 0) {
  for (const part of ['src', 'migrations']) {
    for (const name of readdirSync(join(dist, part), { recursive: true })) {
      // A leftover entity or migration would still be loaded.
      const source = join(root, part, name.replace(/\.js(\.map)?$/, '.ts'));
      if (/\.js(\.map)?$/.test(name) && !existsSync(source)) {
        rmSync(join(dist, part, name));
      }
    }
  }
  writeFileSync(join(dist, '.built'), '');
}
process.exitCode = result.status ?? 1;
