/** A page of names in their order, and where the next one starts. */
export interface NamePage {
  readonly names: readonly string[];
  readonly nextMarker?: string;
}

/**
 * Cuts a page out of all names of a KMS that cannot page or filter itself.
 *
 * @param pattern `*` is any run of characters, `?` one; empty matches everything
 * @param marker the last name of the page before
 */
export function pageOfNames(
  all: readonly string[],
  pattern: string,
  marker: string | undefined,
  limit: number,
): NamePage {
  const names = all
    .filter(matcher(pattern))
    .filter((name) => marker === undefined || name > marker)
    .sort();
  const page = names.slice(0, limit);
  return { names: page, nextMarker: names.length > limit ? page.at(-1) : undefined };
}

/** What a pattern begins with before its first wildcard. */
export function literalPrefix(pattern: string): string {
  return pattern.replace(/[*?].*$/s, '');
}

function matcher(pattern: string): (name: string) => boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  const expression = new RegExp(`^${pattern === '' ? '.*' : source}$`);
  return (name) => expression.test(name);
}
