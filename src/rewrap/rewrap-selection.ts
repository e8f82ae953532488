import type { SealedKeySelection } from '../object-storage/sealed-key.repository';
import type { RewrapOrder } from './rewrap.types';

/** What a job still has to do, as the walk over sealed keys asks for it. */
export function selectionOf({
  selection,
  settled,
  target,
}: Pick<RewrapOrder, 'selection' | 'settled' | 'target'>): SealedKeySelection {
  const { bucketId, prefix, kms, keyId, keyVersion, before } = selection;
  return { bucketId, prefix, kms, keyId, keyVersion, before, settled, serverKeys: target === undefined };
}
