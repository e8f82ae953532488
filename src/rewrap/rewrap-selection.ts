import type { SealedKeySelection } from '../object-storage/sealed-key.repository';
import type { RewrapOrder } from './rewrap.types';

/** What a job still has to do, as the walk over sealed keys asks for it. */
export function selectionOf({
  selection,
  settled,
  target,
  escrow,
}: Pick<RewrapOrder, 'selection' | 'settled' | 'target' | 'escrow'>): SealedKeySelection {
  const { bucketId, prefix, kms, keyId, keyVersion, before } = selection;
  return { bucketId, prefix, kms, keyId, keyVersion, before, settled, escrow, serverKeys: target === undefined };
}
