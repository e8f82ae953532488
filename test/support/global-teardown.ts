import { realpathSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { EmbeddedPostgres } from '../../src/process/embedded-postgres';

/** Stops the run's Postgres and removes its files. */
export default async function globalTeardown(): Promise<void> {
  const { strongroomTestPostgres } = globalThis as unknown as {
    strongroomTestPostgres: { postgres: EmbeddedPostgres; dataDir: string };
  };
  await strongroomTestPostgres.postgres.stop();
  await rm(realpathSync(join(strongroomTestPostgres.dataDir, 'postgres')), { recursive: true, force: true });
  await rm(strongroomTestPostgres.dataDir, { recursive: true, force: true });
}
