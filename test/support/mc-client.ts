import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** MinIO's client, from the PATH or named by MC; Midnight Commander bears the same name on many machines. */
export const MC = [process.env['MC'] ?? 'mc', 'mcli'].find((command) =>
  spawnSync(command, ['--version'], { encoding: 'utf8' }).stdout?.includes('MinIO'),
);

/** A suite that is skipped aloud where there is no mc. */
export function describeWithMc(name: string, suite: () => void): void {
  if (MC === undefined) {
    describe.skip(`${name} (skipped: MinIO's mc is not on the PATH, and MC does not name it)`, suite);
  } else {
    describe(name, suite);
  }
}

/** MinIO's client with a configuration of its own. */
export class McClient {
  private constructor(readonly directory: string) {}

  static async create(): Promise<McClient> {
    return new McClient(await mkdtemp(join(tmpdir(), 'strongroom-mc-')));
  }

  /** Runs a command. @param env further variables */
  async run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
    const { stdout } = await run(MC ?? 'mc', ['--config-dir', this.directory, '--disable-pager', ...args], {
      env: { PATH: process.env['PATH'], HOME: this.directory, NO_COLOR: '1', TERM: 'dumb', ...env },
    });
    return stdout;
  }

  /** Runs a command that answers in JSON, one object after the other. */
  async json(args: readonly string[]): Promise<Record<string, unknown>[]> {
    return (await this.run(['--json', ...args]))
      .split(/\n(?=\{)/)
      .filter((text) => text.trim() !== '')
      .map((text) => JSON.parse(text) as Record<string, unknown>);
  }

  /** What a command that is to fail has to say. */
  async refusal(args: readonly string[]): Promise<string> {
    return this.run(args).then(
      (stdout) => `no failure: ${stdout}`,
      (error: { stdout: string; stderr: string }) => `${error.stdout}${error.stderr}`,
    );
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}
