import { Injectable } from '@nestjs/common';
import type { Readable } from 'node:stream';
import type { CustomerKey } from '../crypto/encryption.types';
import { ObjectCipher } from '../crypto/object-cipher.service';
import { openingStage, planRead } from '../crypto/object-stages';
import { BlobStore } from './blob-store';
import type { StoredObject } from './object-row';
import { type ContentKey, PlaintextSource, type Segment } from './plaintext-source';
import { PulledReadable } from './pulled-readable';
import { invalidRequest } from './storage-error';

/** Gives out the plaintext of stored objects. */
@Injectable()
export class ObjectReader {
  constructor(
    private readonly cipher: ObjectCipher,
    private readonly blobs: BlobStore,
  ) {}

  /**
   * Returns the key of an object, or undefined when it is not encrypted.
   * @throws KmsError, CiphertextError, DomainError `InvalidRequest` or `AccessDenied` for a missing or wrong customer key
   */
  async unlock(object: StoredObject, customerKey: CustomerKey | undefined): Promise<ContentKey | undefined> {
    const { record, info } = object;
    assertCustomerKeyFits(object, customerKey);
    if (record === undefined) {
      return undefined;
    }
    const objectKey = await this.cipher.open(record, { bucket: info.bucket, key: info.key }, customerKey);
    return { mode: record.mode, objectKey };
  }

  /**
   * Opens a range of the plaintext, which must lie inside the object. Small objects come as one buffer, others as a stream that the caller must consume or
   * destroy. The key passes to the reader, which zeroes it.
   *
   * @throws CiphertextError, BlobNotFoundError; a stream fails with a CiphertextError before any byte of a bad package
   */
  async read(
    object: StoredObject,
    key: ContentKey | undefined,
    first: number,
    length: number,
  ): Promise<Readable | Buffer> {
    let source: PlaintextSource | undefined;
    try {
      if (length === 0) {
        return Buffer.alloc(0);
      }
      if (object.content.kind === 'inline') {
        return readInline(object.content.data, object.info.size, key, first, length);
      }
      source = await PlaintextSource.open(this.blobs, segmentsOf(object, first, length), key);
      return new PulledReadable(source);
    } finally {
      if (source === undefined) {
        key?.objectKey.fill(0);
      }
    }
  }
}

/**
 * Refuses a customer key for an object that has none, and its absence for one that has.
 * @throws StorageError `InvalidRequest`
 */
export function assertCustomerKeyFits(object: StoredObject, customerKey: CustomerKey | undefined): void {
  const needed = object.record?.mode === 'sse-c';
  if (needed && customerKey === undefined) {
    throw invalidRequest(
      'The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.',
    );
  }
  if (!needed && customerKey !== undefined) {
    throw invalidRequest('The encryption parameters are not applicable to this object.');
  }
}

function readInline(data: Buffer, size: number, key: ContentKey | undefined, first: number, length: number): Buffer {
  if (key === undefined) {
    return data.subarray(first, first + length);
  }
  const plan = planRead(key.mode, size, first, length);
  const stage = openingStage(key.mode, key.objectKey, undefined, size, plan);
  const plaintext = stage.update(data.subarray(plan.offset, plan.offset + plan.length));
  stage.final();
  return plaintext.length === 1 ? (plaintext[0] as Buffer) : Buffer.concat(plaintext);
}

/** Cuts a range of an object into ranges of its blobs; empty ones are left out. */
function segmentsOf(object: StoredObject, first: number, length: number): Segment[] {
  const { content, info } = object;
  if (content.kind !== 'parts') {
    return content.kind === 'blob' ? [{ blobId: content.id, size: info.size, first, length }] : [];
  }
  const end = first + length;
  const segments: Segment[] = [];
  let start = 0;
  for (const part of content.parts) {
    const from = Math.max(first, start);
    const to = Math.min(end, start + part.s);
    if (from < to) {
      segments.push({ blobId: part.b, part: part.n, size: part.s, first: from - start, length: to - from });
    }
    start += part.s;
  }
  return segments;
}
