import cluster from 'node:cluster';
import { DomainError } from './common/domain-error';

/** Starts as the primary or, when forked by it, as a worker; an expected failure is told without a stack. */
async function main(): Promise<void> {
  if (cluster.isPrimary) {
    const { runPrimary } = await import('./process/primary.js');
    await runPrimary(cluster);
  } else {
    const { runWorker } = await import('./process/worker.js');
    await runWorker();
  }
}

main().catch((error: unknown) => {
  const text = error instanceof DomainError ? describe(error) : (error as Error).stack;
  process.stderr.write(`\nStrongroom could not start.\n${text}\n`, () => process.exit(1));
});

function describe(error: DomainError): string {
  return error.remedy === undefined ? error.message : `${error.message}\n${error.remedy}`;
}
