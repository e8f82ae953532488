import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import type { AuditRecord } from './audit-record';

/** What the first record is chained to. */
export const CHAIN_START: Buffer = Buffer.alloc(32);

/** The end of the chain as it is stored beside it. */
export interface ChainHead {
  readonly sequence: number;
  readonly hash: Buffer;
  /** Null before the first record. */
  readonly seal: Buffer | null;
}

/**
 * The keyed hashes of the audit log. The key is derived from the root key, so whoever can write to the database but does
 * not hold the root key can neither alter a record nor add one unnoticed. The seal of the head ties the number of records
 * to their hashes, so cutting records off the end shows as well.
 */
export class AuditChain {
  private readonly key: Buffer;

  /** @param rootKey 32 bytes */
  constructor(rootKey: Buffer) {
    this.key = Buffer.from(hkdfSync('sha256', rootKey, Buffer.alloc(0), 'strongroom/audit-chain/1', 32));
  }

  /** The hash of a record that follows the one with the hash `previous`. */
  next(previous: Buffer, record: AuditRecord): Buffer {
    const fields = [
      record.sequence,
      record.at.toISOString(),
      record.category,
      record.operation,
      record.principal,
      record.outcome,
      record.errorClass,
      record.resource,
      record.kms,
      record.keyId,
      record.keyVersion,
      record.sourceIp,
      record.userAgent,
      record.requestId,
      record.microseconds,
      record.calls,
      record.details,
    ];
    return createHmac('sha256', this.key).update(previous).update(JSON.stringify(fields), 'utf8').digest();
  }

  seal(sequence: number, hash: Buffer): Buffer {
    return createHmac('sha256', this.key).update(`head/${sequence}/`).update(hash).digest();
  }

  /** Whether a head is one that this chain has sealed, or the untouched start. */
  holds(head: ChainHead): boolean {
    if (head.seal === null) {
      return head.sequence === 0 && head.hash.equals(CHAIN_START);
    }
    const expected = this.seal(head.sequence, head.hash);
    return head.seal.length === expected.length && timingSafeEqual(head.seal, expected);
  }
}
