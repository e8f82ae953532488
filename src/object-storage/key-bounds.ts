/** The largest character of UTF-8, and so the last in the order of keys. */
const LAST_CHARACTER = '\u{10FFFF}';
/** More of them than any key of 1024 bytes can hold. */
const BEYOND_EVERY_KEY = LAST_CHARACTER.repeat(257);
const FIRST_SURROGATE = 0xd800;
const AFTER_SURROGATES = 0xe000;

/** The first text after a key in byte order: no key lies between the two, because U+0000 is not allowed in keys. */
export function justAfter(key: string): string {
  return `${key}\u0001`;
}

/** A text greater than every key that starts with the prefix, and not greater than any that follows them. */
export function prefixEnd(prefix: string): string {
  const characters = [...prefix];
  const last = characters.pop();
  if (last === undefined || last === LAST_CHARACTER) {
    return prefix + BEYOND_EVERY_KEY;
  }
  const next = (last.codePointAt(0) ?? 0) + 1;
  return characters.join('') + String.fromCodePoint(next === FIRST_SURROGATE ? AFTER_SURROGATES : next);
}

/** Compares in the order of UTF-8 bytes, which is the order of keys; JavaScript's own order is that of UTF-16. */
export function compareKeys(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left, 'utf8'), Buffer.from(right, 'utf8'));
}

/** The common prefix that a key is rolled up into, or undefined. */
export function commonPrefix(key: string, prefix: string, delimiter: string | undefined): string | undefined {
  if (!delimiter || !key.startsWith(prefix)) {
    return undefined;
  }
  const at = key.indexOf(delimiter, prefix.length);
  return at < 0 ? undefined : key.slice(0, at + delimiter.length);
}

/**
 * Where a listing starts that continues after an entry: behind the key, or behind everything that the common prefix stands
 * for when the entry is one or lies in one.
 */
export function startAfter(after: string | undefined, prefix: string, delimiter: string | undefined): string {
  if (!after || compareKeys(after, prefix) < 0) {
    return prefix;
  }
  const rolled = commonPrefix(after, prefix, delimiter);
  return rolled === undefined ? justAfter(after) : prefixEnd(rolled);
}
