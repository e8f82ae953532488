import { ANONYMOUS, type Principal } from '../identity/identity.types';
import {
  ACL_PERMISSIONS,
  ALL_USERS,
  AUTHENTICATED_USERS,
  LOG_DELIVERY,
  type AccessControlList,
  type AclGrantee,
  type AclPermission,
} from '../object-storage/access-control.types';
import { ACL_RULES, aclGrants } from './acl-permissions';
import { S3_ROUTES } from './s3-routes';

const user = (name: string): Principal => ({ kind: 'user', name, accessKeyId: `${name}-key`, ownerId: name });
const OWNER = user('owner');
const FRIEND = user('friend');
const STRANGER = user('stranger');

const list = (grantee: AclGrantee, ...permissions: AclPermission[]): AccessControlList =>
  permissions.map((permission) => ({ grantee, permission }));

/** What of all permissions a list grants. */
const granted = (acl: AccessControlList | undefined, principal: Principal, withPublic = true): AclPermission[] =>
  ACL_PERMISSIONS.filter((permission) => aclGrants({ owner: 'owner', acl }, permission, principal, withPublic));

const ACP = ['READ_ACP', 'WRITE_ACP'];

describe('an access list', () => {
  it('that nobody has set is the owner’s alone', () => {
    expect(granted(undefined, OWNER)).toEqual(ACL_PERMISSIONS);
    expect(granted(undefined, FRIEND)).toEqual([]);
    expect(granted(undefined, ANONYMOUS)).toEqual([]);
  });

  it.each<[AclGrantee, Principal, boolean]>([
    [{ id: 'friend' }, FRIEND, true],
    [{ id: 'friend' }, STRANGER, false],
    [{ id: 'friend' }, ANONYMOUS, false],
    [{ uri: AUTHENTICATED_USERS }, STRANGER, true],
    [{ uri: AUTHENTICATED_USERS }, ANONYMOUS, false],
    [{ uri: ALL_USERS }, STRANGER, true],
    [{ uri: ALL_USERS }, ANONYMOUS, true],
    [{ uri: LOG_DELIVERY }, STRANGER, false],
    [{ uri: LOG_DELIVERY }, ANONYMOUS, false],
    [{ id: 'anonymous' }, ANONYMOUS, true],
  ])('of %j and the caller %j: %s', (grantee, principal, meant) => {
    for (const permission of ACL_PERMISSIONS.filter((name) => name !== 'FULL_CONTROL')) {
      expect(granted(list(grantee, permission), principal)).toEqual(meant ? [permission] : []);
    }
    expect(granted(list(grantee, 'FULL_CONTROL'), principal)).toEqual(meant ? ACL_PERMISSIONS : []);
  });

  it('cannot lock its owner out from the list itself', () => {
    expect(granted([], OWNER)).toEqual(ACP);
    expect(granted(list({ id: 'friend' }, 'FULL_CONTROL'), OWNER)).toEqual(ACP);
  });

  it('grants groups nothing where public lists are ignored', () => {
    const acl = [...list({ uri: ALL_USERS }, 'READ'), ...list({ uri: AUTHENTICATED_USERS }, 'WRITE')];
    expect(granted(acl, FRIEND)).toEqual(['READ', 'WRITE']);
    expect(granted(acl, FRIEND, false)).toEqual([]);
    expect(granted([...acl, ...list({ id: 'friend' }, 'READ')], FRIEND, false)).toEqual(['READ']);
  });
});

describe('the actions that lists can grant', () => {
  it('are those that AWS maps to permissions', () => {
    const by = (on: string, permission: string): string[] =>
      Object.entries(ACL_RULES)
        .filter(([, rule]) => rule.on === on && rule.permission === permission)
        .map(([action]) => action.slice(3));
    expect(by('bucket', 'READ')).toEqual(['ListBucket', 'ListBucketVersions', 'ListBucketMultipartUploads']);
    expect(by('bucket', 'WRITE')).toEqual([
      'PutObject',
      'DeleteObject',
      'DeleteObjectVersion',
      'AbortMultipartUpload',
      'ListMultipartUploadParts',
    ]);
    expect(by('object', 'READ')).toEqual(['GetObject', 'GetObjectVersion']);
    expect(by('object', 'WRITE')).toEqual([]);
    expect(ACP.flatMap((permission) => [...by('bucket', permission), ...by('object', permission)])).toEqual([
      'GetBucketAcl',
      'GetObjectAcl',
      'GetObjectVersionAcl',
      'PutBucketAcl',
      'PutObjectAcl',
      'PutObjectVersionAcl',
    ]);
  });

  it('are asked for by routes on the same kind of resource', () => {
    const onBucketByObject = new Set(['s3:PutObject', 's3:DeleteObject', 's3:AbortMultipartUpload']);
    for (const route of S3_ROUTES) {
      for (const action of route.actions) {
        const rule = ACL_RULES[action];
        if (rule !== undefined && !onBucketByObject.has(action) && action !== 's3:ListMultipartUploadParts') {
          expect([action, rule.on]).toEqual([action, route.resource]);
        }
      }
    }
  });
});
