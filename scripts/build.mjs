// Compiles src and migrations into dist and stamps the result.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cli = createRequire(import.meta.url).resolve('@nestjs/cli/bin/nest.js');
const result = spawnSync(process.execPath, [cli, 'build'], { cwd: root, stdio: 'inherit' });
if (result.status === 0) {
  writeFileSync(join(root, 'dist', '.built'), '');
}
process.exitCode = result.status ?? 1;
