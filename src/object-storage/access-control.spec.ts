import type { ObjectOwnership } from '../settings/settings';
import { currentOwner, decideOwnership, expandAcl, isOwnerOnly, isPublicAcl, storedAcl } from './access-control';
import {
  ALL_USERS,
  AUTHENTICATED_USERS,
  CANNED_ACLS,
  LOG_DELIVERY,
  type AccessControlList,
  type CannedAcl,
} from './access-control.types';

/** Grants behind the owner's, written short. */
const grants = (acl: AccessControlList | undefined): string[] =>
  (acl ?? []).map(
    ({ grantee, permission }) =>
      `${'id' in grantee ? grantee.id : (grantee.uri.split('/').at(-1) ?? '')}:${permission}`,
  );

const EXEC = '6aa5a366c34c1cbe25dc49211496e913e0351eb0e8c37aa3477e40942ec6b97c';

describe('canned access lists', () => {
  it.each<[CannedAcl, string[], boolean]>([
    ['private', [], false],
    ['public-read', ['AllUsers:READ'], true],
    ['public-read-write', ['AllUsers:READ', 'AllUsers:WRITE'], true],
    ['authenticated-read', ['AuthenticatedUsers:READ'], true],
    ['aws-exec-read', [`${EXEC}:READ`], false],
    ['bucket-owner-read', ['landlord:READ'], false],
    ['bucket-owner-full-control', ['landlord:FULL_CONTROL'], false],
    ['log-delivery-write', ['LogDelivery:WRITE', 'LogDelivery:READ_ACP'], false],
  ])('%s grants full control to the owner, and %j', (canned, further, isPublic) => {
    const acl = expandAcl({ canned }, 'writer', 'landlord');
    expect(grants(acl)).toEqual(['writer:FULL_CONTROL', ...further]);
    expect(isPublicAcl(acl)).toBe(isPublic);
  });

  it('are all in this table', () => {
    expect(CANNED_ACLS).toHaveLength(8);
  });

  it('give the bucket’s owner nothing beside itself', () => {
    for (const canned of ['bucket-owner-read', 'bucket-owner-full-control'] as const) {
      expect(grants(expandAcl({ canned }, 'landlord', 'landlord'))).toEqual(['landlord:FULL_CONTROL']);
    }
  });

  it('name the groups of AWS', () => {
    expect([ALL_USERS, AUTHENTICATED_USERS, LOG_DELIVERY]).toEqual([
      'http://acs.amazonaws.com/groups/global/AllUsers',
      'http://acs.amazonaws.com/groups/global/AuthenticatedUsers',
      'http://acs.amazonaws.com/groups/s3/LogDelivery',
    ]);
  });
});

describe('lists given grant by grant', () => {
  const own = { grantee: { id: 'writer' }, permission: 'FULL_CONTROL' } as const;

  it('add nothing of their own', () => {
    const acl = [{ grantee: { id: 'guest' }, permission: 'READ' }] as const;
    expect(expandAcl({ grants: acl }, 'writer', 'landlord')).toEqual(acl);
  });

  it('are stored as nothing when they say what holds without any', () => {
    expect(storedAcl([own], 'writer')).toBeUndefined();
    expect(storedAcl([], 'writer')).toEqual([]);
    expect(storedAcl([own, own], 'writer')).toHaveLength(2);
    expect(isOwnerOnly([own], 'landlord')).toBe(false);
  });
});

describe('the owner of a new object', () => {
  const bucket = (ownership: ObjectOwnership | undefined, ownershipChosen = true) => ({
    owner: 'landlord',
    ownership,
    ownershipChosen,
  });

  it.each<[ObjectOwnership | undefined, CannedAcl | undefined, string, string[]]>([
    ['BucketOwnerEnforced', undefined, 'landlord', []],
    ['BucketOwnerEnforced', 'bucket-owner-full-control', 'landlord', []],
    ['BucketOwnerPreferred', undefined, 'writer', []],
    ['BucketOwnerPreferred', 'private', 'writer', []],
    ['BucketOwnerPreferred', 'bucket-owner-read', 'writer', ['writer:FULL_CONTROL', 'landlord:READ']],
    ['BucketOwnerPreferred', 'bucket-owner-full-control', 'landlord', []],
    ['ObjectWriter', undefined, 'writer', []],
    ['ObjectWriter', 'bucket-owner-full-control', 'writer', ['writer:FULL_CONTROL', 'landlord:FULL_CONTROL']],
    [undefined, 'public-read', 'writer', ['writer:FULL_CONTROL', 'AllUsers:READ']],
  ])('under %s with the ACL %s is %s', (ownership, canned, owner, acl) => {
    const decided = decideOwnership(bucket(ownership), 'writer', canned && { canned });
    expect([decided.owner, grants(decided.acl)]).toEqual([owner, acl]);
  });

  it('is the bucket’s under BucketOwnerEnforced, which takes no other list', () => {
    const kindOf = (request: Parameters<typeof decideOwnership>[2], chosen = true): string => {
      try {
        decideOwnership(bucket('BucketOwnerEnforced', chosen), 'writer', request);
        return 'accepted';
      } catch (error) {
        return (error as { kind: string }).kind;
      }
    };
    for (const canned of CANNED_ACLS.filter((name) => name !== 'bucket-owner-full-control')) {
      expect([canned, kindOf({ canned })]).toEqual([canned, 'AccessControlListNotSupported']);
      const byDefault = canned === 'private' ? 'accepted' : 'AccessControlListNotSupported';
      expect([canned, kindOf({ canned }, false)]).toEqual([canned, byDefault]);
    }
    const full = (id: string) => ({ grants: [{ grantee: { id }, permission: 'FULL_CONTROL' as const }] });
    expect(kindOf(full('landlord'))).toBe('accepted');
    expect(kindOf(full('writer'))).toBe('AccessControlListNotSupported');
    expect(kindOf({ grants: [] })).toBe('AccessControlListNotSupported');
  });

  it('is shown as the bucket’s while ownership is enforced, and as it was written otherwise', () => {
    expect(currentOwner(bucket('BucketOwnerEnforced'), 'writer')).toBe('landlord');
    expect(currentOwner(bucket('ObjectWriter'), 'writer')).toBe('writer');
    expect(currentOwner(bucket(undefined), 'writer')).toBe('writer');
  });
});
