/** What a grant of an access list permits; each means something of its own on a bucket and on an object. */
export const ACL_PERMISSIONS = ['FULL_CONTROL', 'READ', 'WRITE', 'READ_ACP', 'WRITE_ACP'] as const;
export type AclPermission = (typeof ACL_PERMISSIONS)[number];

/** Everyone, anonymous callers included. */
export const ALL_USERS = 'http://acs.amazonaws.com/groups/global/AllUsers';
/** Everyone who signs requests. */
export const AUTHENTICATED_USERS = 'http://acs.amazonaws.com/groups/global/AuthenticatedUsers';
/** Whoever delivers access logs; no caller belongs to it. */
export const LOG_DELIVERY = 'http://acs.amazonaws.com/groups/s3/LogDelivery';
export const ACL_GROUPS: readonly string[] = [ALL_USERS, AUTHENTICATED_USERS, LOG_DELIVERY];

/** A canonical id, or the URI of a group. */
export type AclGrantee = { readonly id: string } | { readonly uri: string };

export interface AclGrant {
  readonly grantee: AclGrantee;
  readonly permission: AclPermission;
}

/** The grants on a bucket or a version of an object, in the order in which they were given. */
export type AccessControlList = readonly AclGrant[];

export const CANNED_ACLS = [
  'private',
  'public-read',
  'public-read-write',
  'authenticated-read',
  'aws-exec-read',
  'bucket-owner-read',
  'bucket-owner-full-control',
  'log-delivery-write',
] as const;
export type CannedAcl = (typeof CANNED_ACLS)[number];

/** An access list as a request asks for it. */
export type AclRequest = { readonly canned: CannedAcl } | { readonly grants: AccessControlList };
