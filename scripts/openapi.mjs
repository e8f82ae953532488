// Writes docs/openapi.json from the compiled application; with --check, fails when the file is out of date.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
require('reflect-metadata');
const { NestFactory } = require('@nestjs/core');
const { AppModule } = require(join(root, 'dist/src/app.module.js'));
const { buildOpenApiDocument } = require(join(root, 'dist/src/admin/swagger.js'));
const { loadSettings } = require(join(root, 'dist/src/settings/load-settings.js'));

// Preview mode reads the routes without making any provider, so neither a database nor a data directory is needed.
const settings = loadSettings({ DATABASE_URL: 'postgres://nobody@localhost/none' }, root);
const app = await NestFactory.create(AppModule.forRoot(settings), {
  preview: true,
  logger: false,
  abortOnError: false,
});
const text = `${JSON.stringify(buildOpenApiDocument(app), null, 2)}\n`;
const file = join(root, 'docs', 'openapi.json');
if (!process.argv.includes('--check')) {
  writeFileSync(file, text);
} else if (readFileSync(file, 'utf8') !== text) {
  process.stderr.write('docs/openapi.json is out of date: run npm run openapi and commit the result\n');
  process.exitCode = 1;
}
