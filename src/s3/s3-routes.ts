import { invalidArgument, S3Error } from './s3-error';
import type { S3Request, S3Resource } from './s3-request';
import { NOT_IMPLEMENTED_ROUTES } from './s3-routes-not-implemented';

/** One operation of S3: how it is recognised and what it takes to be allowed. */
export interface S3Route {
  /** AWS's name; also the label of metrics, logs and audit. */
  readonly operation: string;
  readonly method: string;
  readonly resource: S3Resource;
  /** Query parameter that selects the operation; absent for the plain one. */
  readonly query?: string;
  /** Header whose presence selects the operation over its namesake without. */
  readonly header?: string;
  /** A further parameter whose presence selects the operation over its namesake without. */
  readonly parameter?: string;
  /** IAM actions on the resource, all needed. Operations on several objects check each by themselves. */
  readonly actions: readonly string[];
  readonly implemented: boolean;
}

type Row = readonly [
  operation: string,
  method: string,
  resource: S3Resource,
  query: string | undefined,
  actions: readonly string[],
  header?: string,
];

const COPY_SOURCE = 'x-amz-copy-source';

const IMPLEMENTED: readonly Row[] = [
  ['ListBuckets', 'GET', 'service', undefined, ['s3:ListAllMyBuckets']],

  ['CreateBucket', 'PUT', 'bucket', undefined, ['s3:CreateBucket']],
  ['HeadBucket', 'HEAD', 'bucket', undefined, ['s3:ListBucket']],
  ['DeleteBucket', 'DELETE', 'bucket', undefined, ['s3:DeleteBucket']],
  ['ListObjects', 'GET', 'bucket', undefined, ['s3:ListBucket']],
  ['ListObjectsV2', 'GET', 'bucket', 'list-type', ['s3:ListBucket']],
  ['ListObjectVersions', 'GET', 'bucket', 'versions', ['s3:ListBucketVersions']],
  ['ListMultipartUploads', 'GET', 'bucket', 'uploads', ['s3:ListBucketMultipartUploads']],
  ['PostObject', 'POST', 'bucket', undefined, []],
  ['DeleteObjects', 'POST', 'bucket', 'delete', []],
  ['GetBucketLocation', 'GET', 'bucket', 'location', ['s3:GetBucketLocation']],
  ['GetBucketVersioning', 'GET', 'bucket', 'versioning', ['s3:GetBucketVersioning']],
  ['PutBucketVersioning', 'PUT', 'bucket', 'versioning', ['s3:PutBucketVersioning']],
  ['GetBucketEncryption', 'GET', 'bucket', 'encryption', ['s3:GetEncryptionConfiguration']],
  ['PutBucketEncryption', 'PUT', 'bucket', 'encryption', ['s3:PutEncryptionConfiguration']],
  ['DeleteBucketEncryption', 'DELETE', 'bucket', 'encryption', ['s3:PutEncryptionConfiguration']],
  ['GetBucketTagging', 'GET', 'bucket', 'tagging', ['s3:GetBucketTagging']],
  ['PutBucketTagging', 'PUT', 'bucket', 'tagging', ['s3:PutBucketTagging']],
  ['DeleteBucketTagging', 'DELETE', 'bucket', 'tagging', ['s3:PutBucketTagging']],
  ['GetBucketPolicy', 'GET', 'bucket', 'policy', ['s3:GetBucketPolicy']],
  ['PutBucketPolicy', 'PUT', 'bucket', 'policy', ['s3:PutBucketPolicy']],
  ['DeleteBucketPolicy', 'DELETE', 'bucket', 'policy', ['s3:DeleteBucketPolicy']],
  ['GetBucketPolicyStatus', 'GET', 'bucket', 'policyStatus', ['s3:GetBucketPolicyStatus']],
  ['GetBucketAcl', 'GET', 'bucket', 'acl', ['s3:GetBucketAcl']],
  ['PutBucketAcl', 'PUT', 'bucket', 'acl', ['s3:PutBucketAcl']],
  ['GetBucketOwnershipControls', 'GET', 'bucket', 'ownershipControls', ['s3:GetBucketOwnershipControls']],
  ['PutBucketOwnershipControls', 'PUT', 'bucket', 'ownershipControls', ['s3:PutBucketOwnershipControls']],
  ['DeleteBucketOwnershipControls', 'DELETE', 'bucket', 'ownershipControls', ['s3:PutBucketOwnershipControls']],
  ['GetPublicAccessBlock', 'GET', 'bucket', 'publicAccessBlock', ['s3:GetBucketPublicAccessBlock']],
  ['PutPublicAccessBlock', 'PUT', 'bucket', 'publicAccessBlock', ['s3:PutBucketPublicAccessBlock']],
  ['DeletePublicAccessBlock', 'DELETE', 'bucket', 'publicAccessBlock', ['s3:PutBucketPublicAccessBlock']],
  ['GetObjectLockConfiguration', 'GET', 'bucket', 'object-lock', ['s3:GetBucketObjectLockConfiguration']],
  ['PutObjectLockConfiguration', 'PUT', 'bucket', 'object-lock', ['s3:PutBucketObjectLockConfiguration']],
  ['GetBucketLogging', 'GET', 'bucket', 'logging', ['s3:GetBucketLogging']],
  ['PutBucketLogging', 'PUT', 'bucket', 'logging', ['s3:PutBucketLogging']],
  ['PutBucketAccelerateConfiguration', 'PUT', 'bucket', 'accelerate', ['s3:PutAccelerateConfiguration']],
  ['PutBucketNotificationConfiguration', 'PUT', 'bucket', 'notification', ['s3:PutBucketNotification']],
  ['PutBucketRequestPayment', 'PUT', 'bucket', 'requestPayment', ['s3:PutBucketRequestPayment']],
  ['GetBucketCors', 'GET', 'bucket', 'cors', ['s3:GetBucketCORS']],
  ['PutBucketCors', 'PUT', 'bucket', 'cors', ['s3:PutBucketCORS']],
  ['DeleteBucketCors', 'DELETE', 'bucket', 'cors', ['s3:PutBucketCORS']],
  ['GetBucketLifecycleConfiguration', 'GET', 'bucket', 'lifecycle', ['s3:GetLifecycleConfiguration']],
  ['PutBucketLifecycleConfiguration', 'PUT', 'bucket', 'lifecycle', ['s3:PutLifecycleConfiguration']],
  ['DeleteBucketLifecycle', 'DELETE', 'bucket', 'lifecycle', ['s3:PutLifecycleConfiguration']],
  // Features that can never be switched on here: reading their configuration says so in the words of S3.
  ['GetBucketAccelerateConfiguration', 'GET', 'bucket', 'accelerate', ['s3:GetAccelerateConfiguration']],
  ['GetBucketNotificationConfiguration', 'GET', 'bucket', 'notification', ['s3:GetBucketNotification']],
  ['GetBucketReplication', 'GET', 'bucket', 'replication', ['s3:GetReplicationConfiguration']],
  ['GetBucketRequestPayment', 'GET', 'bucket', 'requestPayment', ['s3:GetBucketRequestPayment']],
  ['GetBucketWebsite', 'GET', 'bucket', 'website', ['s3:GetBucketWebsite']],

  ['GetObject', 'GET', 'object', undefined, ['s3:GetObject']],
  ['HeadObject', 'HEAD', 'object', undefined, ['s3:GetObject']],
  ['PutObject', 'PUT', 'object', undefined, ['s3:PutObject']],
  ['CopyObject', 'PUT', 'object', undefined, ['s3:PutObject'], COPY_SOURCE],
  ['DeleteObject', 'DELETE', 'object', undefined, ['s3:DeleteObject']],
  ['GetObjectAttributes', 'GET', 'object', 'attributes', ['s3:GetObject', 's3:GetObjectAttributes']],
  ['GetObjectTagging', 'GET', 'object', 'tagging', ['s3:GetObjectTagging']],
  ['PutObjectTagging', 'PUT', 'object', 'tagging', ['s3:PutObjectTagging']],
  ['DeleteObjectTagging', 'DELETE', 'object', 'tagging', ['s3:DeleteObjectTagging']],
  ['GetObjectRetention', 'GET', 'object', 'retention', ['s3:GetObjectRetention']],
  ['PutObjectRetention', 'PUT', 'object', 'retention', ['s3:PutObjectRetention']],
  ['GetObjectLegalHold', 'GET', 'object', 'legal-hold', ['s3:GetObjectLegalHold']],
  ['PutObjectLegalHold', 'PUT', 'object', 'legal-hold', ['s3:PutObjectLegalHold']],
  ['GetObjectAcl', 'GET', 'object', 'acl', ['s3:GetObjectAcl']],
  ['PutObjectAcl', 'PUT', 'object', 'acl', ['s3:PutObjectAcl']],
  ['RestoreObject', 'POST', 'object', 'restore', ['s3:RestoreObject']],
  ['UpdateObjectEncryption', 'PUT', 'object', 'encryption', ['s3:UpdateObjectEncryption']],
  ['CreateMultipartUpload', 'POST', 'object', 'uploads', ['s3:PutObject']],
  ['UploadPart', 'PUT', 'object', 'uploadId', ['s3:PutObject']],
  ['UploadPartCopy', 'PUT', 'object', 'uploadId', ['s3:PutObject'], COPY_SOURCE],
  ['CompleteMultipartUpload', 'POST', 'object', 'uploadId', ['s3:PutObject']],
  ['AbortMultipartUpload', 'DELETE', 'object', 'uploadId', ['s3:AbortMultipartUpload']],
  ['ListParts', 'GET', 'object', 'uploadId', ['s3:ListMultipartUploadParts']],
];

/** The whole surface of S3, every operation AWS names that is addressed to a bucket endpoint. */
export const S3_ROUTES: readonly S3Route[] = [
  ...IMPLEMENTED.map(([operation, method, resource, query, actions, header]) => ({
    operation,
    method,
    resource,
    query,
    actions,
    header,
    implemented: true,
  })),
  ...NOT_IMPLEMENTED_ROUTES.map(([operation, method, resource, query, needs]) => ({
    operation,
    method,
    resource,
    query,
    header: needs?.header,
    parameter: needs?.parameter,
    actions: [],
    implemented: false,
  })),
];

/** Parameters that refine an operation instead of selecting one. */
const MODIFIERS: ReadonlySet<string> = new Set([
  'bucket-region',
  'continuation-token',
  'delimiter',
  'encoding-type',
  'fetch-owner',
  'id',
  'key-marker',
  'marker',
  'max-buckets',
  'max-keys',
  'max-parts',
  'max-uploads',
  'part-number-marker',
  'partNumber',
  'prefix',
  'response-cache-control',
  'response-content-disposition',
  'response-content-encoding',
  'response-content-language',
  'response-content-type',
  'response-expires',
  'select-type',
  'start-after',
  'upload-id-marker',
  'version-id-marker',
  'versionId',
  'annotationName',
  'AWSAccessKeyId',
  'Expires',
  'Signature',
]);

const SUB_RESOURCES: ReadonlySet<string> = new Set(
  S3_ROUTES.flatMap(({ query }) => (query === undefined ? [] : [query])),
);

/** The oldest region of S3 still has buckets with such names, so it looks these up and refuses all others. */
const POSSIBLE_BUCKET = /^[a-z0-9._-]{3,255}$/i;

/** Method and sub-resource of PutObject and CopyObject, UploadPart and UploadPartCopy, CompleteMultipartUpload. */
const WRITES_OF_VERSIONS: ReadonlySet<string> = new Set(['PUT ', 'PUT uploadId', 'POST uploadId']);

const INDEX: ReadonlyMap<string, readonly S3Route[]> = indexRoutes();

/**
 * Finds the operation of a request.
 *
 * @param hasHeader tells whether a header (lower-case name) is present
 * @throws S3Error NotImplemented for sub-resources nobody knows, MethodNotAllowed, InvalidArgument for conflicting ones,
 *   InvalidRequest, InvalidBucketName
 */
export function routeOf(method: string, request: S3Request, hasHeader: (name: string) => boolean): S3Route {
  const subResource = request.query.size === 0 ? '' : subResourceOf(method, request.query);
  if (request.resource === 'bucket') {
    refuseOfObjects(method, subResource, request.query);
  }
  if (method === 'PUT' && request.query.has('partNumber') && subResource !== 'uploadId') {
    // What was meant as a part must not become the object.
    throw invalidArgument(
      'This operation does not accept partNumber without uploadId',
      'partNumber',
      request.query.get('partNumber') ?? '',
    );
  }
  if (request.resource === 'object') {
    refuseVersion(`${method} ${subResource}`, request.query.get('versionId'));
    refuseOfBuckets(method, subResource);
  }
  if (method === 'PUT' && subResource === 'uploadId' && !request.query.has('partNumber')) {
    throw notAllowed(method, 'UPLOAD', ['DELETE', 'POST', 'GET']);
  }
  const candidates = INDEX.get(`${method} ${request.resource} ${subResource}`);
  if (candidates === undefined) {
    throw unroutable(method, request.resource, subResource);
  }
  for (const route of candidates) {
    const headerMatches = route.header === undefined || hasHeader(route.header);
    if (headerMatches && (route.parameter === undefined || request.query.has(route.parameter))) {
      if (route.header !== COPY_SOURCE && hasHeader(COPY_SOURCE)) {
        throw new S3Error('InvalidArgument', 'You can only specify a copy source header for copy requests.', {
          ArgumentName: COPY_SOURCE,
        });
      }
      assertPossibleBucket(request);
      return route;
    }
  }
  throw new S3Error('NotImplemented');
}

function subResourceOf(method: string, query: ReadonlyMap<string, string>): string {
  // AWS ignores parameters that it does not know, and URLs that others have signed carry some.
  const maySayMore = method === 'GET' || method === 'HEAD' || query.has('X-Amz-Signature') || query.has('Signature');
  let found = '';
  for (const [name, value] of query) {
    if (SUB_RESOURCES.has(name)) {
      if (found !== '') {
        throw new S3Error('InvalidArgument', 'Conflicting query string parameters', {
          ArgumentName: 'ResourceType',
          ArgumentValue: name,
        });
      }
      found = name;
    } else if (!MODIFIERS.has(name) && !/^x-/i.test(name) && (!maySayMore || value === '')) {
      // An unknown sub-resource must never become a plain GET, nor an unknown parameter a plain write.
      throw new S3Error('NotImplemented', `The sub-resource '${name.slice(0, 64)}' is not implemented.`);
    }
  }
  return found;
}

function unroutable(method: string, resource: S3Resource, subResource: string): S3Error {
  const allowed = S3_ROUTES.filter((route) => route.resource === resource && (route.query ?? '') === subResource).map(
    (route) => route.method,
  );
  if (method === 'OPTIONS') {
    return new S3Error('AccessForbidden');
  }
  if (allowed.length === 0) {
    return new S3Error('NotImplemented');
  }
  return notAllowed(method, resource.toUpperCase(), [...new Set(allowed)]);
}

function notAllowed(method: string, resourceType: string, allowed: readonly string[]): S3Error {
  return new S3Error('MethodNotAllowed', undefined, {
    Method: method,
    ResourceType: resourceType,
    allow: allowed.join(', '),
  });
}

/** Writes make versions of their own, so none of them names one; and what may name one has to. */
function refuseVersion(operation: string, versionId: string | undefined): void {
  if (versionId === undefined) {
    return;
  }
  if (WRITES_OF_VERSIONS.has(operation)) {
    throw invalidArgument('This operation does not accept a version-id.', 'versionId', versionId);
  }
  if (versionId === '') {
    throw invalidArgument('Version id cannot be the empty string', 'versionId', versionId);
  }
}

function assertPossibleBucket({ resource, bucket }: S3Request): void {
  if (resource !== 'service' && !POSSIBLE_BUCKET.test(bucket)) {
    throw new S3Error('InvalidBucketName', undefined, { BucketName: bucket });
  }
}

/** Parts and uploads that were asked for without a key. */
function refuseOfObjects(method: string, subResource: string, query: ReadonlyMap<string, string>): void {
  if (subResource === 'uploadId' && query.has('partNumber')) {
    throw notAllowed(method, 'PART', ['PUT']);
  }
  if (subResource === '' && query.has('partNumber')) {
    throw new S3Error('InvalidRequest', 'Object must have a valid key name.');
  }
  if (subResource === 'uploadId' && (method === 'GET' || method === 'POST' || method === 'DELETE')) {
    throw new S3Error('InvalidRequest', 'A key must be specified');
  }
}

/** Listings of buckets that were asked for with a key. */
function refuseOfBuckets(method: string, subResource: string): void {
  if (method === 'GET' && subResource === 'uploads') {
    throw new S3Error('InvalidRequest', 'Key is not expected for the GET method ?uploads subresource');
  }
  if (method === 'GET' && subResource === 'versions') {
    throw new S3Error('InvalidRequest', 'There is no such thing as the ?versions sub-resource for a key');
  }
}

/** Routes that need a header or parameter come first, so that the plain one of the same shape is the fallback. */
function indexRoutes(): ReadonlyMap<string, readonly S3Route[]> {
  const index = new Map<string, S3Route[]>();
  for (const route of S3_ROUTES) {
    const shape = `${route.method} ${route.resource} ${route.query ?? ''}`;
    const routes = index.get(shape) ?? [];
    if (route.header === undefined && route.parameter === undefined) {
      routes.push(route);
    } else {
      routes.unshift(route);
    }
    index.set(shape, routes);
  }
  return index;
}
