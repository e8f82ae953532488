/** Answers the value of a condition key for `${key}`; undefined when the request has no single value for it. */
export type VariableResolver = (key: string) => string | undefined;

/** A compiled pattern of a policy; `*` stands for any run of characters, `?` for exactly one. */
export interface TextPattern {
  readonly source: string;
  /**
   * @returns undefined when the pattern names a policy variable that the request does not have, so that the caller can
   * fail towards refusal
   */
  matches(value: string, resolve: VariableResolver): boolean | undefined;
}

export interface PatternOptions {
  /** Whether `${…}` is a policy variable (documents of Version 2012-10-17) or literal text. */
  readonly variables: boolean;
  readonly wildcards: boolean;
  readonly ignoreCase?: boolean;
}

interface Variable {
  readonly key: string;
  readonly fallback: string | undefined;
}

/** A number is a code point; `STAR` and `ANY` are wildcards. */
type Atom = number | Variable;
const STAR = -1;
const ANY = -2;

const LITERAL_VARIABLES: ReadonlySet<string> = new Set(['*', '?', '$']);
/** Its parts cannot take each other's characters, so that no text makes it backtrack; blanks around the key are cut off later. */
const VARIABLE = /^\$\{([^{},]*)(?:,\s*'([^']*)'\s*)?\}/;

/** Whether the text contains a `${…}` that is not one of the escapes `${*}`, `${?}`, `${$}`. */
export function malformedVariable(source: string): boolean {
  let rest = source;
  for (let start = rest.indexOf('${'); start >= 0; start = rest.indexOf('${')) {
    const match = VARIABLE.exec(rest.slice(start));
    if (match === null || match[1]?.trim() === '') {
      return true;
    }
    rest = rest.slice(start + match[0].length);
  }
  return false;
}

/** Compiles a pattern once, so that a request costs no parsing. Matching takes at most pattern × value steps. */
export function compilePattern(source: string, options: PatternOptions): TextPattern {
  const atoms = tokenize(source, options);
  const fold = (text: string): string => (options.ignoreCase === true ? text.toLowerCase() : text);
  const isPlain = atoms.every((atom) => typeof atom === 'number' && atom >= 0);
  if (isPlain) {
    const literal = fold(String.fromCodePoint(...(atoms as number[])));
    return { source, matches: (value) => fold(value) === literal };
  }
  const hasVariables = atoms.some((atom) => typeof atom !== 'number');
  if (!hasVariables) {
    const codes = foldCodes(atoms as number[], options.ignoreCase === true);
    return { source, matches: (value) => matchCodes(codes, codePoints(fold(value))) };
  }
  return {
    source,
    matches: (value, resolve) => {
      const codes = substitute(atoms, resolve);
      return codes && matchCodes(foldCodes(codes, options.ignoreCase === true), codePoints(fold(value)));
    },
  };
}

function tokenize(source: string, options: PatternOptions): Atom[] {
  const atoms: Atom[] = [];
  for (let index = 0; index < source.length;) {
    const match = options.variables && source.startsWith('${', index) ? VARIABLE.exec(source.slice(index)) : null;
    if (match !== null) {
      const key = (match[1] ?? '').trim();
      atoms.push(LITERAL_VARIABLES.has(key) ? (key.codePointAt(0) as number) : { key, fallback: match[2] });
      index += match[0].length;
      continue;
    }
    const code = source.codePointAt(index) as number;
    const character = String.fromCodePoint(code);
    if (options.wildcards && character === '*') {
      if (atoms.at(-1) !== STAR) {
        atoms.push(STAR);
      }
    } else {
      atoms.push(options.wildcards && character === '?' ? ANY : code);
    }
    index += character.length;
  }
  return atoms;
}

/** Values go in as literal text: a user named `*` must not become a wildcard. */
function substitute(atoms: readonly Atom[], resolve: VariableResolver): number[] | undefined {
  const codes: number[] = [];
  for (const atom of atoms) {
    if (typeof atom === 'number') {
      codes.push(atom);
      continue;
    }
    const value = resolve(atom.key) ?? atom.fallback;
    if (value === undefined) {
      return undefined;
    }
    codes.push(...codePoints(value));
  }
  return codes;
}

function foldCodes(codes: readonly number[], ignoreCase: boolean): readonly number[] {
  if (!ignoreCase) {
    return codes;
  }
  return codes.flatMap((code) => (code < 0 ? code : codePoints(String.fromCodePoint(code).toLowerCase())));
}

function codePoints(text: string): number[] {
  return Array.from(text, (character) => character.codePointAt(0) as number);
}

/** Greedy matching with one point of return (the last star): no exponential backtracking on hostile patterns. */
function matchCodes(pattern: readonly number[], value: readonly number[]): boolean {
  let patternIndex = 0;
  let valueIndex = 0;
  let starIndex = -1;
  let resumeIndex = 0;
  while (valueIndex < value.length) {
    const atom = pattern[patternIndex];
    if (atom === STAR) {
      starIndex = patternIndex++;
      resumeIndex = valueIndex;
    } else if (atom === ANY || (atom !== undefined && atom === value[valueIndex])) {
      patternIndex++;
      valueIndex++;
    } else if (starIndex >= 0) {
      patternIndex = starIndex + 1;
      valueIndex = ++resumeIndex;
    } else {
      return false;
    }
  }
  while (pattern[patternIndex] === STAR) {
    patternIndex++;
  }
  return patternIndex === pattern.length;
}
