import { partNumberOf } from './headers/condition-headers';
import type { S3Call } from './s3-call';
import { invalidArgument } from './s3-error';

/** Upload id and part number of a request on a part. @throws S3Error InvalidArgument */
export function partOf(call: S3Call): { readonly uploadId: string; readonly partNumber: number } {
  const partNumber = partNumberOf(call.query);
  if (partNumber === undefined) {
    throw invalidArgument('This operation requires a part number', 'partNumber');
  }
  return { uploadId: uploadIdOf(call), partNumber };
}

/** Upload id of a request; unknown ids are the business of the multipart service. */
export function uploadIdOf(call: S3Call): string {
  return call.query.get('uploadId') ?? '';
}
