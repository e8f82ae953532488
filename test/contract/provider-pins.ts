import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KmsCapabilities } from '../../src/kms/kms-provider';

/** What the contract suite pins of one kind of provider; scripts/kms-table.mjs writes the table of the documentation from it. */
interface ProviderPins {
  readonly capabilities: KmsCapabilities;
}

const PINS = JSON.parse(readFileSync(join(__dirname, 'provider-pins.json'), 'utf8')) as Readonly<
  Record<string, ProviderPins>
>;

/**
 * The pinned capabilities of a kind of provider.
 * @throws Error when there is none of that type
 */
export function pinnedCapabilities(type: string): KmsCapabilities {
  const pins = PINS[type];
  if (!pins) {
    throw new Error(`provider-pins.json has no entry for ${type}`);
  }
  return pins.capabilities;
}
