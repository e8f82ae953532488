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

/** Where older records were removed: the last of them. */
export interface ChainCut {
  readonly sequence: number;
  readonly hash: Buffer;
  readonly seal: Buffer;
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
    return isEqual(head.seal, this.seal(head.sequence, head.hash));
  }

  sealCut(sequence: number, hash: Buffer): Buffer {
    return createHmac('sha256', this.key).update(`cut/${sequence}/`).update(hash).digest();
  }

  /** Whether the log was cut by a holder of the root key. */
  holdsCut(cut: ChainCut): boolean {
    return isEqual(cut.seal, this.sealCut(cut.sequence, cut.hash));
  }
}

function isEqual(given: Buffer, expected: Buffer): boolean {
  return given.length === expected.length && timingSafeEqual(given, expected);
}
