import type { S3Resource } from './s3-request';

/** An operation that is recognised in order to be refused with NotImplemented. */
export type NotImplementedRow = readonly [
  operation: string,
  method: string,
  resource: S3Resource,
  query: string | undefined,
  needs?: { readonly header?: string; readonly parameter?: string },
];

/**
 * Operations of S3 that the store refuses. They are listed so that none of them falls through to a plain operation on
 * the same path, and so that the table of operations in the documentation is complete.
 */
export const NOT_IMPLEMENTED_ROUTES: readonly NotImplementedRow[] = [
  ['CreateSession', 'GET', 'bucket', 'session'],
  ['WriteGetObjectResponse', 'POST', 'bucket', undefined, { header: 'x-amz-request-route' }],
  ['GetBucketAbac', 'GET', 'bucket', 'abac'],
  ['PutBucketAbac', 'PUT', 'bucket', 'abac'],
  ['GetBucketAnalyticsConfiguration', 'GET', 'bucket', 'analytics', { parameter: 'id' }],
  ['ListBucketAnalyticsConfigurations', 'GET', 'bucket', 'analytics'],
  ['PutBucketAnalyticsConfiguration', 'PUT', 'bucket', 'analytics'],
  ['DeleteBucketAnalyticsConfiguration', 'DELETE', 'bucket', 'analytics'],
  ['GetBucketIntelligentTieringConfiguration', 'GET', 'bucket', 'intelligent-tiering', { parameter: 'id' }],
  ['ListBucketIntelligentTieringConfigurations', 'GET', 'bucket', 'intelligent-tiering'],
  ['PutBucketIntelligentTieringConfiguration', 'PUT', 'bucket', 'intelligent-tiering'],
  ['DeleteBucketIntelligentTieringConfiguration', 'DELETE', 'bucket', 'intelligent-tiering'],
  ['GetBucketInventoryConfiguration', 'GET', 'bucket', 'inventory', { parameter: 'id' }],
  ['ListBucketInventoryConfigurations', 'GET', 'bucket', 'inventory'],
  ['PutBucketInventoryConfiguration', 'PUT', 'bucket', 'inventory'],
  ['DeleteBucketInventoryConfiguration', 'DELETE', 'bucket', 'inventory'],
  ['GetBucketMetricsConfiguration', 'GET', 'bucket', 'metrics', { parameter: 'id' }],
  ['ListBucketMetricsConfigurations', 'GET', 'bucket', 'metrics'],
  ['PutBucketMetricsConfiguration', 'PUT', 'bucket', 'metrics'],
  ['DeleteBucketMetricsConfiguration', 'DELETE', 'bucket', 'metrics'],
  ['CreateBucketMetadataConfiguration', 'POST', 'bucket', 'metadataConfiguration'],
  ['GetBucketMetadataConfiguration', 'GET', 'bucket', 'metadataConfiguration'],
  ['DeleteBucketMetadataConfiguration', 'DELETE', 'bucket', 'metadataConfiguration'],
  ['CreateBucketMetadataTableConfiguration', 'POST', 'bucket', 'metadataTable'],
  ['GetBucketMetadataTableConfiguration', 'GET', 'bucket', 'metadataTable'],
  ['DeleteBucketMetadataTableConfiguration', 'DELETE', 'bucket', 'metadataTable'],
  ['UpdateBucketMetadataAnnotationTableConfiguration', 'PUT', 'bucket', 'metadataAnnotationTable'],
  ['UpdateBucketMetadataInventoryTableConfiguration', 'PUT', 'bucket', 'metadataInventoryTable'],
  ['UpdateBucketMetadataJournalTableConfiguration', 'PUT', 'bucket', 'metadataJournalTable'],
  ['PutBucketReplication', 'PUT', 'bucket', 'replication'],
  ['PutBucketWebsite', 'PUT', 'bucket', 'website'],
  ['DeleteBucketReplication', 'DELETE', 'bucket', 'replication'],
  ['DeleteBucketWebsite', 'DELETE', 'bucket', 'website'],
  ['GetObjectTorrent', 'GET', 'object', 'torrent'],
  ['GetObjectAnnotation', 'GET', 'object', 'annotation', { parameter: 'annotationName' }],
  ['ListObjectAnnotations', 'GET', 'object', 'annotation'],
  ['PutObjectAnnotation', 'PUT', 'object', 'annotation'],
  ['DeleteObjectAnnotation', 'DELETE', 'object', 'annotation'],
  ['RenameObject', 'PUT', 'object', 'renameObject'],
  ['SelectObjectContent', 'POST', 'object', 'select'],
];
