import { KmsError } from '../kms-error';
import type { KeyDescription, KeyPage } from '../kms-provider';
import { pageOfNames } from './key-pattern';

const DESCRIBE_AT_ONCE = 8;

/** Which page of which names. */
export interface ListingQuery {
  /** See {@link pageOfNames}. */
  readonly pattern: string;
  /** Last name of the page before. */
  readonly marker: string | undefined;
  readonly limit: number;
}

/**
 * Makes a page of key descriptions out of all key names of a KMS, in byte order. A key that cannot be described for a
 * lasting reason is listed all the same.
 *
 * @throws KmsError the first passing failure to describe a key
 */
export async function listingPage(
  names: readonly string[],
  { pattern, marker, limit }: ListingQuery,
  describe: (name: string) => Promise<KeyDescription>,
): Promise<KeyPage> {
  const page = pageOfNames(names, pattern, marker, limit);
  const keys: KeyDescription[] = [];
  for (let at = 0; at < page.names.length; at += DESCRIBE_AT_ONCE) {
    const described = page.names.slice(at, at + DESCRIBE_AT_ONCE).map((name) => describeListed(name, describe));
    keys.push(...(await Promise.all(described)));
  }
  return { keys, nextMarker: page.nextMarker };
}

async function describeListed(
  name: string,
  describe: (name: string) => Promise<KeyDescription>,
): Promise<KeyDescription> {
  try {
    return await describe(name);
  } catch (error) {
    if (error instanceof KmsError && !error.retryable) {
      return { keyId: name, state: 'enabled', algorithm: 'unknown' };
    }
    throw error;
  }
}
