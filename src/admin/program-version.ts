import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

let known: string | undefined;

/** The version in the package's manifest, which lies above this file both in the sources and in the build. */
export function programVersion(): string {
  known ??= readVersion(__dirname);
  return known;
}

function readVersion(directory: string): string {
  const manifest = join(directory, 'package.json');
  if (existsSync(manifest)) {
    return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
  }
  const parent = dirname(directory);
  return parent === directory ? 'unknown' : readVersion(parent);
}
