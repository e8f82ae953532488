import {
  ACL_PERMISSIONS,
  type AccessControlList,
  type AclGrant,
  type AclPermission,
} from '../../object-storage/access-control.types';
import type { NamedGrant, NamedGrantee } from '../headers/acl-headers';
import { S3Error } from '../s3-error';
import { parseXml, type XmlElement } from '../xml';
import { ownerXml } from '../xml-objects';
import { element, textElement, xmlDocument } from '../xml-writer';

const MAX_GRANTS = 100;
const XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"';

/** What names a grantee of each `xsi:type`. */
const GRANTEE_NAMES = [
  { kind: 'id', type: 'CanonicalUser', element: 'ID' },
  { kind: 'uri', type: 'Group', element: 'URI' },
  { kind: 'emailAddress', type: 'AmazonCustomerByEmail', element: 'EmailAddress' },
] as const;

/** An AccessControlPolicy document as a request sends it. */
export interface NamedAccessControlPolicy {
  readonly owner: string;
  readonly grants: readonly NamedGrant[];
}

/**
 * Reads an AccessControlPolicy. The `xsi:type` of a grantee has to be there and to agree with what names it.
 * @throws S3Error `MalformedACLError`
 */
export function readAccessControlPolicy(body: Buffer): NamedAccessControlPolicy {
  try {
    const document = parseXml(body, 'AccessControlPolicy');
    const owner = document.child('Owner')?.textOf('ID')?.trim();
    const list = document.child('AccessControlList');
    const grants = list?.all('Grant').map(grantOf);
    if (owner === undefined || grants === undefined || grants.length > MAX_GRANTS) {
      throw new S3Error('MalformedACLError');
    }
    return { owner, grants };
  } catch (error) {
    if (error instanceof S3Error && error.kind === 'MalformedXML') {
      throw new S3Error('MalformedACLError');
    }
    throw error;
  }
}

/** Writes an access list. Groups come first, as other stores list them; the order of grants means nothing. */
export function accessControlPolicyXml(owner: string, acl: AccessControlList): string {
  const groups = acl.filter(({ grantee }) => 'uri' in grantee);
  const others = acl.filter(({ grantee }) => 'id' in grantee);
  const grants = [...groups, ...others].map(grantXml).join('');
  return xmlDocument('AccessControlPolicy', ownerXml('Owner', owner) + element('AccessControlList', grants));
}

function grantXml({ grantee, permission }: AclGrant): string {
  const [type, content] =
    'uri' in grantee
      ? ['Group', textElement('URI', grantee.uri)]
      : ['CanonicalUser', textElement('ID', grantee.id) + textElement('DisplayName', grantee.id)];
  return element(
    'Grant',
    `<Grantee ${XSI} xsi:type="${type}">${content}</Grantee>${textElement('Permission', permission)}`,
  );
}

function grantOf(grant: XmlElement): NamedGrant {
  const grantee = grant.child('Grantee');
  const permission = ACL_PERMISSIONS.find((known) => known === grant.textOf('Permission')?.trim());
  if (grantee === undefined || permission === undefined) {
    throw new S3Error('MalformedACLError');
  }
  return { grantee: granteeOf(grantee), permission: permission satisfies AclPermission };
}

function granteeOf(grantee: XmlElement): NamedGrantee {
  const names = GRANTEE_NAMES.filter(({ element: name }) => grantee.child(name) !== undefined);
  const [named] = names;
  if (named === undefined || names.length > 1 || grantee.attributes.get('type') !== named.type) {
    throw new S3Error('MalformedACLError');
  }
  const value = grantee.textOf(named.element)?.trim() ?? '';
  return { kind: named.kind, value, argument: `${named.type}/${named.element}` };
}
