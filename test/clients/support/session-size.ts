/** What one session of a client carries. */
export interface SessionSize {
  /** Files of the tree. */
  readonly files: number;
  /** Mebibytes of the large file, which every client sends in several parts where it knows how to. */
  readonly largeMebibytes: number;
}

const SIZES: Readonly<Record<string, SessionSize>> = {
  quick: { files: 100, largeMebibytes: 48 },
  full: { files: 2000, largeMebibytes: 1024 },
};

/** `quick` in every run of all tests, `full` under `npm run test:clients`. The steps of a session are the same in both. */
export const SESSION = sizeOf(process.env['STRONGROOM_TEST_SESSIONS'] ?? 'quick');

function sizeOf(name: string): SessionSize {
  const size = SIZES[name];
  if (size === undefined) {
    throw new Error(`STRONGROOM_TEST_SESSIONS is ${name}, and has to be one of ${Object.keys(SIZES).join(', ')}`);
  }
  return size;
}
