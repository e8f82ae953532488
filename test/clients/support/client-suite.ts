import { execFile, spawnSync } from 'node:child_process';

const MIB = 1024 * 1024;

/** What a client printed, both streams. */
export interface Printed {
  readonly stdout: string;
  readonly stderr: string;
}

/** Why a command cannot be used here, or undefined when it can: it must start and say something that matches. */
export function whyMissing(command: string, versionArguments: string[], pattern = /\d/): string | undefined {
  const { error, stdout, stderr } = spawnSync(command, versionArguments, { encoding: 'utf8' });
  if (error !== undefined) {
    return `the ${command} command is not installed`;
  }
  return pattern.test(stdout + stderr) ? undefined : `the ${command} command is not the one that is meant`;
}

/**
 * The suite of one client. Where the client is missing, its tests are skipped under a name that says so; the reporter
 * `scripts/jest-skipped-reporter.cjs` repeats these names at the end of a run.
 */
export function describeClient(client: string, missing: string | undefined, body: () => void): void {
  if (missing === undefined) {
    describe(client, body);
  } else {
    describe.skip(`${client} (skipped: ${missing})`, body);
  }
}

/**
 * Runs a command in an environment of its own, so that no configuration of this machine has a say.
 *
 * @throws Error with everything the command printed, when it fails
 */
export function runClient(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  cwd?: string,
): Promise<Printed> {
  return new Promise((resolve, reject) => {
    execFile(
      command,
      args,
      {
        maxBuffer: 64 * MIB,
        ...(cwd === undefined ? {} : { cwd }),
        env: { PATH: process.env['PATH'], LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8', ...env },
      },
      (error, stdout, stderr) => {
        if (error === null) {
          resolve({ stdout, stderr });
        } else {
          reject(new Error(`${command} ${args.join(' ')} failed (${error.code})\n${stdout}\n${stderr}`));
        }
      },
    );
  });
}
