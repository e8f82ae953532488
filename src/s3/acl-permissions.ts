import { isPublicGroup } from '../object-storage/access-control';
import {
  ALL_USERS,
  AUTHENTICATED_USERS,
  type AccessControlList,
  type AclGrantee,
  type AclPermission,
} from '../object-storage/access-control.types';
import type { Principal } from '../identity/identity.types';

/** The list that decides on an action, and the permission it must grant. */
export interface AclRule {
  readonly on: 'bucket' | 'object';
  readonly permission: AclPermission;
  /**
   * Whom beside a grant the action takes: the owner of the bucket or of the object for deleting it, the bucket's owner
   * alone for deleting versions, the initiator of an upload or the bucket's owner for looking into and ending it.
   */
  readonly reservedFor?: 'owners' | 'bucket-owner' | 'initiator';
}

/** What access lists can grant, by action. Whatever is not here is the business of policies alone. */
export const ACL_RULES: Readonly<Record<string, AclRule>> = {
  's3:ListBucket': { on: 'bucket', permission: 'READ' },
  's3:ListBucketVersions': { on: 'bucket', permission: 'READ' },
  's3:ListBucketMultipartUploads': { on: 'bucket', permission: 'READ' },
  's3:PutObject': { on: 'bucket', permission: 'WRITE' },
  's3:DeleteObject': { on: 'bucket', permission: 'WRITE', reservedFor: 'owners' },
  's3:DeleteObjectVersion': { on: 'bucket', permission: 'WRITE', reservedFor: 'bucket-owner' },
  's3:AbortMultipartUpload': { on: 'bucket', permission: 'WRITE', reservedFor: 'initiator' },
  's3:ListMultipartUploadParts': { on: 'bucket', permission: 'WRITE', reservedFor: 'initiator' },
  's3:GetBucketAcl': { on: 'bucket', permission: 'READ_ACP' },
  's3:PutBucketAcl': { on: 'bucket', permission: 'WRITE_ACP' },
  's3:GetObject': { on: 'object', permission: 'READ' },
  's3:GetObjectVersion': { on: 'object', permission: 'READ' },
  's3:GetObjectAcl': { on: 'object', permission: 'READ_ACP' },
  's3:GetObjectVersionAcl': { on: 'object', permission: 'READ_ACP' },
  's3:PutObjectAcl': { on: 'object', permission: 'WRITE_ACP' },
  's3:PutObjectVersionAcl': { on: 'object', permission: 'WRITE_ACP' },
};

/** One bucket or object, whose it is, and its list; undefined when its owner alone is granted anything. */
export interface ListedResource {
  readonly owner: string;
  readonly acl?: AccessControlList;
}

/**
 * Whether a list grants a permission to a caller. Owners can always read and replace the lists of what is theirs, so that
 * nobody can lock them out.
 *
 * @param withPublic whether grants to everyone count; not under `IgnorePublicAcls`
 */
export function aclGrants(
  resource: ListedResource,
  permission: AclPermission,
  principal: Principal,
  withPublic: boolean,
): boolean {
  const isOwner = principal.ownerId === resource.owner;
  if (resource.acl === undefined) {
    return isOwner;
  }
  if (isOwner && (permission === 'READ_ACP' || permission === 'WRITE_ACP')) {
    return true;
  }
  return resource.acl.some(
    (grant) =>
      (grant.permission === permission || grant.permission === 'FULL_CONTROL') &&
      (withPublic || !isPublicGroup(grant.grantee)) &&
      isMeant(grant.grantee, principal),
  );
}

function isMeant(grantee: AclGrantee, principal: Principal): boolean {
  if ('id' in grantee) {
    return grantee.id === principal.ownerId;
  }
  return grantee.uri === ALL_USERS || (grantee.uri === AUTHENTICATED_USERS && principal.kind !== 'anonymous');
}
