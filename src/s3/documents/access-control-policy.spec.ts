import fc from 'fast-check';
import {
  ACL_GROUPS,
  ACL_PERMISSIONS,
  type AccessControlList,
  type AclGrant,
} from '../../object-storage/access-control.types';
import { accessControlPolicyXml, readAccessControlPolicy } from './access-control-policy';

const document = (grants: string, owner = '<Owner><ID>me</ID></Owner>'): string =>
  `<AccessControlPolicy>${owner}<AccessControlList>${grants}</AccessControlList></AccessControlPolicy>`;
const grantXml = (type: string, grantee: string, permission = 'READ'): string =>
  `<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="${type}">${grantee}</Grantee>` +
  `<Permission>${permission}</Permission></Grant>`;
const BY_ID = grantXml('CanonicalUser', '<ID>a</ID>');

const kindOf = (text: string): string => {
  try {
    readAccessControlPolicy(Buffer.from(text));
    return 'accepted';
  } catch (error) {
    return (error as { kind: string }).kind;
  }
};

describe('an access control policy', () => {
  it('names grantees by id, by group, and by mail address', () => {
    const user = grantXml('CanonicalUser', '<ID>a</ID><DisplayName>b</DisplayName>', 'WRITE_ACP');
    const mail = grantXml('AmazonCustomerByEmail', '<EmailAddress>a@b.example</EmailAddress>', 'FULL_CONTROL');
    const group = grantXml('Group', '<URI>u</URI>');
    expect(readAccessControlPolicy(Buffer.from(document(user + mail + group)))).toEqual({
      owner: 'me',
      grants: [
        { grantee: { kind: 'id', value: 'a', argument: 'CanonicalUser/ID' }, permission: 'WRITE_ACP' },
        {
          grantee: { kind: 'emailAddress', value: 'a@b.example', argument: 'AmazonCustomerByEmail/EmailAddress' },
          permission: 'FULL_CONTROL',
        },
        { grantee: { kind: 'uri', value: 'u', argument: 'Group/URI' }, permission: 'READ' },
      ],
    });
    expect(readAccessControlPolicy(Buffer.from(document(''))).grants).toEqual([]);
  });

  it.each([
    ['no XML', 'hello'],
    ['another document', '<Tagging/>'],
    ['no owner', document('', '')],
    ['no list', '<AccessControlPolicy><Owner><ID>me</ID></Owner></AccessControlPolicy>'],
    ['a permission that is none', document(grantXml('CanonicalUser', '<ID>a</ID>', 'EVERYTHING'))],
    ['a permission in other letters', document(grantXml('CanonicalUser', '<ID>a</ID>', 'read'))],
    ['a grantee without a name', document(grantXml('CanonicalUser', ''))],
    ['a grantee with two names', document(grantXml('Group', '<ID>a</ID><URI>u</URI>'))],
    ['a grantee without a type', document(BY_ID.replace(' xsi:type="CanonicalUser"', ''))],
    ['a grantee whose type is an element', document(grantXml('', '<ID>a</ID><type>CanonicalUser</type>'))],
    ['a type that is none', document(grantXml('Canonical User', '<ID>a</ID>'))],
    ['an id of the type of groups', document(grantXml('Group', '<ID>a</ID>'))],
    ['a group of the type of users', document(grantXml('CanonicalUser', '<URI>u</URI>'))],
    [
      'an address of the type of users',
      document(grantXml('CanonicalUser', '<EmailAddress>a@b.example</EmailAddress>')),
    ],
    ['a grant without a grantee', document('<Grant><Permission>READ</Permission></Grant>')],
    ['more than a hundred grants', document(BY_ID.repeat(101))],
  ])('is malformed with %s', (_, text) => {
    expect(kindOf(text)).toBe('MalformedACLError');
  });

  it('is read back as it was written, groups first', () => {
    const grant = fc.record({
      grantee: fc.oneof(
        fc.record({ uri: fc.constantFrom(...ACL_GROUPS) }),
        fc.record({ id: fc.string({ minLength: 1, unit: fc.constantFrom(...'abc<>&"\' é'.split('')) }) }),
      ),
      permission: fc.constantFrom(...ACL_PERMISSIONS),
    });
    fc.assert(
      fc.property(fc.array(grant, { maxLength: 100 }), (acl: AccessControlList) => {
        const read = readAccessControlPolicy(Buffer.from(accessControlPolicyXml('me', acl)));
        const named = (only: (entry: AclGrant) => boolean): object[] =>
          acl.filter(only).map(({ grantee, permission }) => ({
            grantee:
              'uri' in grantee
                ? { kind: 'uri', value: grantee.uri, argument: 'Group/URI' }
                : { kind: 'id', value: grantee.id.trim(), argument: 'CanonicalUser/ID' },
            permission,
          }));
        expect(read).toEqual({
          owner: 'me',
          grants: [...named(({ grantee }) => 'uri' in grantee), ...named(({ grantee }) => 'id' in grantee)],
        });
      }),
    );
  });
});
