import type { IncomingHttpHeaders } from 'node:http';
import type { ChecksumAlgorithm, ChecksumType, StoredChecksum } from '../../object-storage/object-storage.types';
import { invalidArgument, S3Error } from '../s3-error';
import { headerOf } from './header-values';

const PREFIX = 'x-amz-checksum-';
const NOT_VALUES = new Set(['x-amz-checksum-mode', 'x-amz-checksum-type', 'x-amz-checksum-algorithm']);

/** Every algorithm with its digest size and its spelling in XML elements. */
const ALGORITHMS: Readonly<
  Record<ChecksumAlgorithm, { readonly header: string; readonly element: string; readonly bytes: number }>
> = {
  CRC32: { header: 'x-amz-checksum-crc32', element: 'ChecksumCRC32', bytes: 4 },
  CRC32C: { header: 'x-amz-checksum-crc32c', element: 'ChecksumCRC32C', bytes: 4 },
  CRC64NVME: { header: 'x-amz-checksum-crc64nvme', element: 'ChecksumCRC64NVME', bytes: 8 },
  SHA1: { header: 'x-amz-checksum-sha1', element: 'ChecksumSHA1', bytes: 20 },
  SHA256: { header: 'x-amz-checksum-sha256', element: 'ChecksumSHA256', bytes: 32 },
  SHA512: { header: 'x-amz-checksum-sha512', element: 'ChecksumSHA512', bytes: 64 },
  MD5: { header: 'x-amz-checksum-md5', element: 'ChecksumMD5', bytes: 16 },
  XXHASH64: { header: 'x-amz-checksum-xxhash64', element: 'ChecksumXXHASH64', bytes: 8 },
  XXHASH3: { header: 'x-amz-checksum-xxhash3', element: 'ChecksumXXHASH3', bytes: 8 },
  XXHASH128: { header: 'x-amz-checksum-xxhash128', element: 'ChecksumXXHASH128', bytes: 16 },
};
const NAMES = Object.keys(ALGORITHMS) as ChecksumAlgorithm[];

/** A checksum a client sends, by value in a header or announced as a trailer. */
export interface SentChecksum {
  readonly algorithm: ChecksumAlgorithm;
  /** Base64; undefined when it comes as a trailer. */
  readonly value?: string;
}

/** Header that carries a checksum of this algorithm. */
export function checksumHeader(algorithm: ChecksumAlgorithm): string {
  return ALGORITHMS[algorithm].header;
}

/** XML element that carries a checksum of this algorithm. */
export function checksumElement(algorithm: ChecksumAlgorithm): string {
  return ALGORITHMS[algorithm].element;
}

export const CHECKSUM_ALGORITHMS: readonly ChecksumAlgorithm[] = NAMES;

/**
 * The checksum a body is sent with.
 *
 * @param trailers lower-case names announced by x-amz-trailer
 * @throws S3Error InvalidRequest when there are several, or one is unknown, malformed or missing
 */
export function sentChecksum(headers: IncomingHttpHeaders, trailers: readonly string[]): SentChecksum | undefined {
  let sent: SentChecksum | undefined;
  for (const name in headers) {
    if (name.startsWith(PREFIX) && !NOT_VALUES.has(name)) {
      sent = only(sent, { algorithm: algorithmOfHeader(name), value: headerOf(headers, name) });
    }
  }
  for (const name of trailers) {
    if (name.startsWith(PREFIX)) {
      sent = only(sent, { algorithm: algorithmOfHeader(name) });
    }
  }
  if (sent?.value !== undefined && !isDigest(sent.algorithm, sent.value)) {
    throw new S3Error('InvalidRequest', `Value for ${checksumHeader(sent.algorithm)} header is invalid.`);
  }
  const announced = headerOf(headers, 'x-amz-sdk-checksum-algorithm');
  if (announced !== undefined) {
    const algorithm = algorithmNamed(announced, 'x-amz-sdk-checksum-algorithm');
    if (sent === undefined) {
      throw new S3Error(
        'InvalidRequest',
        'x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.',
      );
    }
    if (sent.algorithm !== algorithm) {
      throw new S3Error('InvalidRequest', 'Value for x-amz-sdk-checksum-algorithm header is invalid.');
    }
  }
  return sent;
}

/** The checksum algorithm asked for by x-amz-checksum-algorithm. @throws S3Error InvalidRequest */
export function requestedAlgorithm(headers: IncomingHttpHeaders): ChecksumAlgorithm | undefined {
  const name = headerOf(headers, 'x-amz-checksum-algorithm');
  return name === undefined ? undefined : algorithmNamed(name, 'x-amz-checksum-algorithm');
}

/**
 * Algorithm and type for a multipart upload: hashes are composite, CRC64NVME covers the full object, the other CRCs may be
 * either and are composite unless told.
 *
 * @throws S3Error InvalidRequest for a combination that does not exist
 */
export function multipartChecksum(
  headers: IncomingHttpHeaders,
): { readonly algorithm: ChecksumAlgorithm; readonly type: ChecksumType } | undefined {
  const algorithm = requestedAlgorithm(headers);
  const type = requestedType(headers);
  if (algorithm === undefined) {
    if (type !== undefined) {
      throw new S3Error(
        'InvalidRequest',
        'The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.',
      );
    }
    return undefined;
  }
  const composite = algorithm !== 'CRC64NVME';
  const fullObject = algorithm.startsWith('CRC');
  if ((type === 'COMPOSITE' && !composite) || (type === 'FULL_OBJECT' && !fullObject)) {
    throw new S3Error(
      'InvalidRequest',
      `The ${type} checksum type cannot be used with the ${algorithm.toLowerCase()} checksum algorithm.`,
    );
  }
  return { algorithm, type: type ?? (composite ? 'COMPOSITE' : 'FULL_OBJECT') };
}

/** x-amz-checksum-type. @throws S3Error InvalidRequest */
export function requestedType(headers: IncomingHttpHeaders): ChecksumType | undefined {
  const type = headerOf(headers, 'x-amz-checksum-type')?.toUpperCase();
  if (type !== undefined && type !== 'COMPOSITE' && type !== 'FULL_OBJECT') {
    throw new S3Error('InvalidRequest', 'Value for x-amz-checksum-type header is invalid.');
  }
  return type;
}

/**
 * The checksum of a whole object that CompleteMultipartUpload may carry; composite ones may end in `-N`.
 * @throws S3Error InvalidRequest when there are several, or it is malformed
 */
export function objectChecksum(
  headers: IncomingHttpHeaders,
): { algorithm: ChecksumAlgorithm; value: string } | undefined {
  const [sent, ...others] = NAMES.flatMap((algorithm) => {
    const value = headerOf(headers, checksumHeader(algorithm));
    return value === undefined ? [] : [{ algorithm, value }];
  });
  if (others.length > 0) {
    throw severalChecksums();
  }
  if (sent !== undefined && !isDigest(sent.algorithm, sent.value.replace(/-\d+$/, ''))) {
    throw new S3Error('InvalidRequest', `Value for ${checksumHeader(sent.algorithm)} header is invalid.`);
  }
  return sent;
}

/** Headers that tell of a stored checksum. */
export function checksumHeaders(
  checksum: (Pick<StoredChecksum, 'algorithm' | 'value'> & { readonly type?: ChecksumType }) | undefined,
): Record<string, string> {
  if (checksum === undefined) {
    return {};
  }
  const headers: Record<string, string> = { [checksumHeader(checksum.algorithm)]: checksum.value };
  if (checksum.type !== undefined) {
    headers['x-amz-checksum-type'] = checksum.type;
  }
  return headers;
}

/** 16 bytes of Content-MD5. @throws S3Error InvalidDigest */
export function contentMd5(headers: IncomingHttpHeaders): Buffer | undefined {
  const value = headerOf(headers, 'content-md5');
  if (value === undefined) {
    return undefined;
  }
  const digest = Buffer.from(value, 'base64');
  if (digest.length !== 16 || digest.toString('base64') !== value) {
    throw new S3Error('InvalidDigest', 'The Content-MD5 you specified was invalid.', { 'Content-MD5': value });
  }
  return digest;
}

function only(known: SentChecksum | undefined, next: SentChecksum): SentChecksum {
  if (known !== undefined) {
    throw severalChecksums();
  }
  return next;
}

function severalChecksums(): S3Error {
  return new S3Error(
    'InvalidRequest',
    'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.',
  );
}

function algorithmOfHeader(name: string): ChecksumAlgorithm {
  const algorithm = NAMES.find((each) => ALGORITHMS[each].header === name);
  if (algorithm === undefined) {
    throw new S3Error('InvalidRequest', `The checksum header ${name} is not supported.`);
  }
  return algorithm;
}

function algorithmNamed(name: string, header: string): ChecksumAlgorithm {
  const algorithm = NAMES.find((each) => each === name.toUpperCase());
  if (algorithm === undefined) {
    throw header === 'x-amz-checksum-algorithm'
      ? new S3Error(
          'InvalidRequest',
          `Checksum algorithm provided is unsupported. Please try again with any of the valid types: [${NAMES.join(', ')}]`,
        )
      : invalidArgument(`Value for ${header} header is invalid.`, header, name);
  }
  return algorithm;
}

/** Whether a text is the base64 form of a digest of this algorithm. */
export function isDigest(algorithm: ChecksumAlgorithm, value: string): boolean {
  const digest = Buffer.from(value, 'base64');
  return digest.length === ALGORITHMS[algorithm].bytes && digest.toString('base64') === value;
}
