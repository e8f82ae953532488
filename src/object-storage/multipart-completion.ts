import { createHash } from 'node:crypto';
import { compositeChecksum } from '../crypto/checksums';
import { combineCrcs, type CrcAlgorithm } from '../crypto/crc-combine';
import { multipartEtag } from './etag';
import type { PartRow } from './multipart.repository';
import type { StoredPart } from './object-row';
import type { ChecksumAlgorithm, ChecksumType, CompleteMultipartCommand, StoredChecksum } from './object-storage.types';
import { checksumMismatch, invalidRequest, StorageError, storageError } from './storage-error';

const MIN_PART_BYTES = 5 * 1024 * 1024;

/** The checksum an upload keeps for its parts and for the object. */
export interface UploadChecksum {
  readonly algorithm: ChecksumAlgorithm;
  readonly type: ChecksumType;
  /** Whether the client asked for it when it began the upload. */
  readonly requested: boolean;
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
export function assertChecksumType({ algorithm, type }: Pick<UploadChecksum, 'algorithm' | 'type'>): void {
  const impossible =
    (algorithm === 'CRC64NVME' && type === 'COMPOSITE') || (!algorithm.startsWith('CRC') && type === 'FULL_OBJECT');
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
  assertOrder(command.uploadId, command.parts);
  const byNumber = new Map(uploaded.map((part) => [part.number, part]));
  if (checksum.requested && checksum.type === 'COMPOSITE') {
    assertChecksums(command.parts, checksum);
  }
  const chosen = command.parts.map((part) =>
    matchingPart(command.uploadId, part, byNumber.get(part.partNumber), checksum),
  );
  assertSizes(chosen);
  const size = chosen.reduce((sum, part) => sum + Number(part.size), 0);
  if (command.objectSize !== undefined && command.objectSize !== size) {
    throw invalidRequest(
      `The provided 'x-amz-mp-object-size' header value ${command.objectSize} does not match what was computed: ${size}`,
    );
  }
  const value = objectChecksum(chosen, checksum);
  assertObjectChecksum(command, checksum, value);
  return {
    parts: chosen.map((part) => ({ n: part.number, s: Number(part.size), b: part.blob_id, c: part.checksum })),
    size,
    etag: multipartEtag(chosen.map((part) => part.etag)),
    checksum: { algorithm: checksum.algorithm, type: checksum.type, value },
  };
}

function assertOrder(uploadId: string, parts: readonly RequestedPart[]): void {
  if (parts.length === 0) {
    throw new StorageError('MalformedXML', '');
  }
  parts.reduce((last, { partNumber }) => {
    if (partNumber <= last) {
      throw storageError('InvalidPartOrder', { UploadId: uploadId });
    }
    return partNumber;
  }, 0);
}

/** The checksum of the object is made of those of its parts, so the client must know each of them. */
function assertChecksums(parts: readonly RequestedPart[], { algorithm }: UploadChecksum): void {
  const without = parts.find((part) => part.checksum === undefined);
  if (without !== undefined) {
    throw invalidRequest(
      `The upload was created using a ${algorithm.toLowerCase()} checksum. The complete request must include the checksum for each part. It was missing for part ${without.partNumber} in the request.`,
    );
  }
}

function matchingPart(
  uploadId: string,
  requested: RequestedPart,
  uploaded: PartRow | undefined,
  checksum: UploadChecksum,
): PartRow {
  const sent = requested.checksum;
  const comparable = sent !== undefined && (checksum.requested || sent.algorithm === checksum.algorithm);
  if (comparable && sent.algorithm !== checksum.algorithm) {
    throw new StorageError(
      'BadDigest',
      `The ${sent.algorithm.toLowerCase()} you specified for part ${requested.partNumber} did not match what we received.`,
    );
  }
  const sameChecksum = !comparable || sent.value === uploaded?.checksum;
  if (uploaded === undefined || uploaded.etag !== requested.etag || !sameChecksum) {
    throw storageError('InvalidPart', {
      UploadId: uploadId,
      PartNumber: String(requested.partNumber),
      ETag: requested.etag,
    });
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
  // Where none was asked for, one that cannot be compared is of no account.
  if (sent === undefined || (!checksum.requested && sent.algorithm !== checksum.algorithm)) {
    return;
  }
  const bare = value.replace(/-\d+$/, '');
  if (sent.algorithm !== checksum.algorithm || (sent.value !== value && sent.value !== bare)) {
    throw checksumMismatch(sent.algorithm);
  }
}
