/**
 * Brings a resource name to the one spelling that evaluation compares: MinIO writes `arn:minio:kms:::<id>` where RustFS
 * and Strongroom write `arn:aws:kms:::key/<id>`, and `arn:minio:s3:::` for buckets. Works on patterns as well as names.
 */
export function canonicalResource(resource: string): string {
  const kmsId = afterPrefix(resource, 'arn:minio:kms:::');
  if (kmsId !== undefined) {
    return kmsId.startsWith('key/') ? `arn:aws:kms:::${kmsId}` : `arn:aws:kms:::key/${kmsId}`;
  }
  const s3Path = afterPrefix(resource, 'arn:minio:s3:::');
  return s3Path === undefined ? resource : `arn:aws:s3:::${s3Path}`;
}

function afterPrefix(text: string, prefix: string): string | undefined {
  return text.startsWith(prefix) ? text.slice(prefix.length) : undefined;
}
