const SIZE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1024,
  kb: 1000,
  kib: 1024,
  m: 1024 ** 2,
  mb: 1000 ** 2,
  mib: 1024 ** 2,
  g: 1024 ** 3,
  gb: 1000 ** 3,
  gib: 1024 ** 3,
};

const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  '': 1000,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const TRUE_WORDS = new Set(['true', 'on', 'yes', '1', 'enable', 'enabled']);
const FALSE_WORDS = new Set(['false', 'off', 'no', '0', 'disable', 'disabled']);

/** Reads a size such as `32768`, `32KiB` or `32kb` as bytes; `undefined` when it is none. */
export function parseSize(text: string): number | undefined {
  return scaled(text, /^(\d+)\s*([a-z]*)$/i, SIZE_UNITS);
}

/** Reads a duration such as `30` (seconds), `250ms`, `15m` or `1d` as milliseconds; `undefined` when it is none. */
export function parseDuration(text: string): number | undefined {
  return scaled(text, /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i, DURATION_UNITS);
}

/** Reads `on`, `true`, `yes`, `1` and their opposites; `undefined` for anything else. */
export function parseBoolean(text: string): boolean | undefined {
  const word = text.trim().toLowerCase();
  if (TRUE_WORDS.has(word)) {
    return true;
  }
  return FALSE_WORDS.has(word) ? false : undefined;
}

function scaled(text: string, pattern: RegExp, units: Readonly<Record<string, number>>): number | undefined {
  const match = pattern.exec(text.trim());
  const factor = match === null ? undefined : units[(match[2] ?? '').toLowerCase()];
  if (match === null || factor === undefined) {
    return undefined;
  }
  const value = Number(match[1]) * factor;
  return Number.isSafeInteger(value) ? value : undefined;
}
