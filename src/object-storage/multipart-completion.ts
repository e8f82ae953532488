import { createHash } from 'node:crypto';
import { compositeChecksum } from '../crypto/checksums';
import { combineCrcs, type CrcAlgorithm } from '../crypto/crc-combine';
import { multipartEtag } from './etag';
import type { PartRow } from './multipart.repository';
import type { StoredPart } from './object-row';
import type { ChecksumAlgorithm, ChecksumType, CompleteMultipartCommand, StoredChecksum } from './object-storage.types';
import { invalidRequest, StorageError, storageError } from './storage-error';

const MIN_PART_BYTES = 5 * 1024 * 1024;

/** The checksum an upload keeps for its parts and for the object. */
export interface UploadChecksum {
  readonly algorithm: ChecksumAlgorithm;
  readonly type: ChecksumType;
}

/** An object made of uploaded parts; nothing is moved. */
export interface AssembledObject {
  readonly parts: readonly StoredPart[];
  readonly size: number;
  readonly etag: string;
  readonly checksum: StoredChecksum;
}

type RequestedPart = CompleteMultipartCommand['parts'][number];

/**
 * Checks which checksum types an algorithm can have: hashes are only ever composite, CRC64NVME only ever covers the whole
 * object, and the other CRCs can be both.
 * @throws StorageError `InvalidRequest`
 */
export function assertChecksumType({ algorithm, type }: UploadChecksum): void {
  const impossible =
    (algorithm === 'CRC64NVME' && type === 'COMPOSITE') ||
    ((algorithm === 'SHA1' || algorithm === 'SHA256') && type === 'FULL_OBJECT');
  if (impossible) {
    throw invalidRequest(
      `The ${type} checksum type cannot be used with the ${algorithm.toLowerCase()} checksum algorithm.`,
    );
  }
}

/** Tells two lists of parts apart, so that a repeated completion can be recognised. */
export function partsFingerprint(parts: readonly RequestedPart[]): string {
  return createHash('sha256')
    .update(JSON.stringify(parts.map(({ partNumber, etag }) => [partNumber, etag])))
    .digest('hex');
}

/**
 * Checks the client's list of parts against the uploaded ones and computes what the object will be.
 * @throws StorageError `MalformedXML`, `InvalidPartOrder`, `InvalidPart`, `EntityTooSmall`, `BadDigest`, `InvalidRequest`
 */
export function assemble(
  command: CompleteMultipartCommand,
  uploaded: readonly PartRow[],
  checksum: UploadChecksum,
): AssembledObject {
  assertOrder(command.parts);
  const byNumber = new Map(uploaded.map((part) => [part.number, part]));
  const chosen = command.parts.map((part) => matchingPart(part, byNumber.get(part.partNumber), checksum));
  assertSizes(chosen);
  const size = chosen.reduce((sum, part) => sum + Number(part.size), 0);
  if (command.objectSize !== undefined && command.objectSize !== size) {
    throw invalidRequest('The provided x-amz-mp-object-size header does not match what was computed.');
  }
  const value = objectChecksum(chosen, checksum);
  assertObjectChecksum(command, checksum, value);
  return {
    parts: chosen.map((part) => ({ n: part.number, s: Number(part.size), b: part.blob_id, c: part.checksum })),
    size,
    etag: multipartEtag(chosen.map((part) => part.etag)),
    checksum: { ...checksum, value },
  };
}

function assertOrder(parts: readonly RequestedPart[]): void {
  if (parts.length === 0) {
    throw new StorageError('MalformedXML', 'A multipart upload cannot be completed without parts.');
  }
  parts.reduce((last, { partNumber }) => {
    if (partNumber <= last) {
      throw storageError('InvalidPartOrder');
    }
    return partNumber;
  }, 0);
}

function matchingPart(requested: RequestedPart, uploaded: PartRow | undefined, checksum: UploadChecksum): PartRow {
  const sameChecksum =
    requested.checksum === undefined ||
    requested.checksum.algorithm !== checksum.algorithm ||
    requested.checksum.value === uploaded?.checksum;
  if (uploaded === undefined || uploaded.etag !== requested.etag || !sameChecksum) {
    throw storageError('InvalidPart', { PartNumber: String(requested.partNumber), ETag: requested.etag });
  }
  return uploaded;
}

function assertSizes(parts: readonly PartRow[]): void {
  const small = parts.slice(0, -1).find((part) => Number(part.size) < MIN_PART_BYTES);
  if (small !== undefined) {
    throw storageError('EntityTooSmall', {
      ProposedSize: small.size,
      MinSizeAllowed: String(MIN_PART_BYTES),
      PartNumber: String(small.number),
      ETag: small.etag,
    });
  }
}

function objectChecksum(parts: readonly PartRow[], { algorithm, type }: UploadChecksum): string {
  const digests = parts.map((part) => ({ digest: Buffer.from(part.checksum, 'base64'), size: Number(part.size) }));
  return type === 'COMPOSITE'
    ? compositeChecksum(
        algorithm,
        digests.map(({ digest }) => digest),
      )
    : combineCrcs(algorithm as CrcAlgorithm, digests).toString('base64');
}

function assertObjectChecksum(command: CompleteMultipartCommand, checksum: UploadChecksum, value: string): void {
  if (command.checksumType !== undefined && command.checksumType !== checksum.type) {
    throw invalidRequest(
      `The upload was created using the ${checksum.type} checksum mode. The complete request must use the same checksum mode.`,
    );
  }
  const sent = command.checksum;
  if (sent === undefined) {
    return;
  }
  const bare = value.replace(/-\d+$/, '');
  if (sent.algorithm !== checksum.algorithm || (sent.value !== value && sent.value !== bare)) {
    throw storageError('BadDigest');
  }
}
