import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { errorCode } from './error-code';

/** A value with the words that say where it came from. */
export interface SourcedText {
  readonly text: string;
  /** e.g. `STRONGROOM_WORKERS`, `WORKERS in .env`, `workers in /etc/strongroom.yaml` */
  readonly origin: string;
}

/** Variables by name. Blank ones count as not set, as a compose file passes unset variables on as blank. */
export type VariableSource = ReadonlyMap<string, SourcedText>;

/**
 * Joins the process environment with `.env` of the working directory; the process environment wins name by name.
 *
 * @param problems receives a line when `.env` exists but cannot be read
 */
export function environmentSource(env: NodeJS.ProcessEnv, cwd: string, problems: string[]): VariableSource {
  const source = new Map<string, SourcedText>();
  for (const [name, text] of Object.entries(readDotEnv(cwd, problems))) {
    addVariable(source, name, text, `${name} in .env`);
  }
  for (const [name, text] of Object.entries(env)) {
    addVariable(source, name, text, name);
  }
  return source;
}

function addVariable(source: Map<string, SourcedText>, name: string, text: string | undefined, origin: string): void {
  const trimmed = text?.trim() ?? '';
  if (trimmed !== '') {
    source.set(name, { text: trimmed, origin });
  } else if (text !== undefined) {
    source.delete(name);
  }
}

function readDotEnv(cwd: string, problems: string[]): NodeJS.Dict<string> {
  try {
    return parseEnv(readFileSync(join(cwd, '.env'), 'utf8'));
  } catch (error) {
    const code = errorCode(error);
    if (code !== 'ENOENT') {
      problems.push(`.env in ${cwd} cannot be read (${code}); make it readable or remove it`);
    }
    return {};
  }
}
