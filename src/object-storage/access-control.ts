import type { ObjectOwnership } from '../settings/settings';
import {
  ALL_USERS,
  AUTHENTICATED_USERS,
  LOG_DELIVERY,
  type AccessControlList,
  type AclGrant,
  type AclGrantee,
  type AclPermission,
  type AclRequest,
  type CannedAcl,
} from './access-control.types';
import { storageError } from './storage-error';

/** The account that AWS makes machine images with; nobody here has this id. */
export const IMAGE_BUILDER = '6aa5a366c34c1cbe25dc49211496e913e0351eb0e8c37aa3477e40942ec6b97c';

/** Whose a bucket is and how the ownership of its objects is decided; absent controls mean `ObjectWriter`. */
export interface OwnedBucket {
  readonly owner: string;
  readonly ownership?: ObjectOwnership;
  /** Whether somebody asked for this ownership; it comes from the deployment's default otherwise. */
  readonly ownershipChosen?: boolean;
}

/** Whether access lists count in a bucket. */
export function aclsEnabled(bucket: OwnedBucket): boolean {
  return bucket.ownership !== 'BucketOwnerEnforced';
}

/** Whose an object is now: its own owner's, or everything the bucket owner's where access lists do not count. */
export function currentOwner(bucket: OwnedBucket, objectOwner: string): string {
  return aclsEnabled(bucket) ? objectOwner : bucket.owner;
}

/** The list that a resource has when nobody has set one: the owner alone. */
export function ownerOnly(owner: string): AccessControlList {
  return [grant({ id: owner }, 'FULL_CONTROL')];
}

/** Whether a list grants its owner full control and nothing to anybody else. */
export function isOwnerOnly(acl: AccessControlList, owner: string): boolean {
  return acl.length === 1 && acl.every((only) => only.permission === 'FULL_CONTROL' && isId(only.grantee, owner));
}

/** Whether a list grants anything to everyone, or to everyone who signs. */
export function isPublicAcl(acl: AccessControlList): boolean {
  return acl.some(({ grantee }) => isPublicGroup(grantee));
}

/** Whether a grantee is everyone, or everyone who signs. */
export function isPublicGroup(grantee: AclGrantee): boolean {
  return 'uri' in grantee && (grantee.uri === ALL_USERS || grantee.uri === AUTHENTICATED_USERS);
}

/**
 * The grants that a request means. The lists named after the bucket's owner mean the owner alone when set on a bucket,
 * whose two owners are one.
 *
 * @param owner of the bucket or object that gets the list
 */
export function expandAcl(request: AclRequest, owner: string, bucketOwner: string): AccessControlList {
  if ('grants' in request) {
    return request.grants;
  }
  return [...ownerOnly(owner), ...cannedGrants(request.canned, owner, bucketOwner)];
}

/**
 * Decides whose a new object is, and by which list it is reached.
 *
 * @param writer canonical id of who sends the object
 * @returns a list of undefined when the owner alone is granted anything
 * @throws StorageError `AccessControlListNotSupported` as {@link assertBucketOwnersAcl}
 */
export function decideOwnership(
  bucket: OwnedBucket,
  writer: string,
  request: AclRequest | undefined,
): { readonly owner: string; readonly acl: AccessControlList | undefined } {
  if (!aclsEnabled(bucket)) {
    assertBucketOwnersAcl(bucket, request);
    return { owner: bucket.owner, acl: undefined };
  }
  const givesAway = request !== undefined && 'canned' in request && request.canned === 'bucket-owner-full-control';
  const owner = bucket.ownership === 'BucketOwnerPreferred' && givesAway ? bucket.owner : writer;
  return { owner, acl: request && storedAcl(expandAcl(request, owner, bucket.owner), owner) };
}

/**
 * Refuses a list that a bucket without access lists cannot have. What grants the bucket's owner full control and nobody
 * else anything holds there anyway. `private` says the same, but AWS refuses it: it is taken where nobody chose that
 * lists shall not count, because many clients send it with every write.
 *
 * @throws StorageError `AccessControlListNotSupported`
 */
export function assertBucketOwnersAcl(bucket: OwnedBucket, request: AclRequest | undefined): void {
  if (request !== undefined && !holdsAnyway(bucket, request)) {
    throw storageError('AccessControlListNotSupported');
  }
}

function holdsAnyway(bucket: OwnedBucket, request: AclRequest): boolean {
  if ('grants' in request) {
    return isOwnerOnly(request.grants, bucket.owner);
  }
  return (
    request.canned === 'bucket-owner-full-control' || (request.canned === 'private' && bucket.ownershipChosen !== true)
  );
}

/** The form in which a list is stored: the owner's alone as nothing. */
export function storedAcl(acl: AccessControlList, owner: string): AccessControlList | undefined {
  return isOwnerOnly(acl, owner) ? undefined : acl;
}

function cannedGrants(canned: CannedAcl, owner: string, bucketOwner: string): AclGrant[] {
  const toBucketOwner = (permission: AclPermission): AclGrant[] =>
    owner === bucketOwner ? [] : [grant({ id: bucketOwner }, permission)];
  switch (canned) {
    case 'private':
      return [];
    case 'public-read':
      return [grant({ uri: ALL_USERS }, 'READ')];
    case 'public-read-write':
      return [grant({ uri: ALL_USERS }, 'READ'), grant({ uri: ALL_USERS }, 'WRITE')];
    case 'authenticated-read':
      return [grant({ uri: AUTHENTICATED_USERS }, 'READ')];
    case 'aws-exec-read':
      return [grant({ id: IMAGE_BUILDER }, 'READ')];
    case 'bucket-owner-read':
      return toBucketOwner('READ');
    case 'bucket-owner-full-control':
      return toBucketOwner('FULL_CONTROL');
    case 'log-delivery-write':
      return [grant({ uri: LOG_DELIVERY }, 'WRITE'), grant({ uri: LOG_DELIVERY }, 'READ_ACP')];
  }
}

function grant(grantee: AclGrantee, permission: AclPermission): AclGrant {
  return { grantee, permission };
}

function isId(grantee: AclGrantee, id: string): boolean {
  return 'id' in grantee && grantee.id === id;
}
