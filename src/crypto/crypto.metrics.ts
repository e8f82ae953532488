import { Counter } from 'prom-client';

/** With bucket keys, `saved` over the sum is the share of KMS calls that did not have to be made. */
export const bucketKeyUses = new Counter({
  name: 'strongroom_bucket_key_uses_total',
  help: 'Data keys wrapped and unwrapped under bucket keys, by whether the bucket key was at hand (saved) or had to be asked of the KMS (called)',
  labelNames: ['operation', 'kms_call'] as const,
});

/** Reads that only the escrow can still answer; any of them means that the first KMS wants looking after. */
export const escrowReads = new Counter({
  name: 'strongroom_escrow_reads_total',
  help: 'Object keys opened by the escrow seal because the first KMS was unavailable or lost, by how that went',
  labelNames: ['reason', 'outcome'] as const,
});
