import type { IncomingHttpHeaders } from 'node:http';
import { CANNED_ACLS, type AclPermission, type CannedAcl } from '../../object-storage/access-control.types';
import { invalidArgument, S3Error } from '../s3-error';
import { headerOf } from './header-values';

/** The headers that grant one permission each, in the order in which their grants are kept. */
export const GRANT_HEADERS: Readonly<Record<string, AclPermission>> = {
  'x-amz-grant-read': 'READ',
  'x-amz-grant-write': 'WRITE',
  'x-amz-grant-read-acp': 'READ_ACP',
  'x-amz-grant-write-acp': 'WRITE_ACP',
  'x-amz-grant-full-control': 'FULL_CONTROL',
};

const GRANTEE = /^\s*(id|uri|emailAddress)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^"'\s]*))\s*$/i;

/** A grantee as a request names it. */
export interface NamedGrantee {
  readonly kind: 'id' | 'uri' | 'emailAddress';
  readonly value: string;
  /** What errors call the name by. */
  readonly argument: string;
}

export interface NamedGrant {
  readonly grantee: NamedGrantee;
  readonly permission: AclPermission;
}

/** An access list as a request writes it, its grantees not yet looked up. */
export type NamedAcl = { readonly canned: CannedAcl } | { readonly grants: readonly NamedGrant[] };

/** Whether a request asks for an access list by its headers. */
export function carriesAcl(headers: IncomingHttpHeaders): boolean {
  if (headers['x-amz-acl'] !== undefined) {
    return true;
  }
  for (const name in GRANT_HEADERS) {
    if (headers[name] !== undefined) {
      return true;
    }
  }
  return false;
}

/**
 * The access list that the headers ask for; undefined when they ask for none.
 * @throws S3Error `InvalidArgument`; `InvalidRequest` when a canned list stands beside grants
 */
export function namedAcl(headers: IncomingHttpHeaders): NamedAcl | undefined {
  const canned = headerOf(headers, 'x-amz-acl');
  if (canned !== undefined && Object.keys(GRANT_HEADERS).some((name) => headers[name] !== undefined)) {
    throw new S3Error('InvalidRequest', 'Specifying both Canned ACLs and Header Grants is not allowed');
  }
  const grants = Object.entries(GRANT_HEADERS).flatMap(([name, permission]) => {
    const value = headerOf(headers, name);
    return value === undefined ? [] : granteesOf(name, value).map((grantee) => ({ grantee, permission }));
  });
  if (canned === undefined) {
    return grants.length === 0 ? undefined : { grants };
  }
  const known = CANNED_ACLS.find((name) => name === canned);
  if (known === undefined) {
    throw invalidArgument('', 'x-amz-acl', canned);
  }
  return { canned: known };
}

function granteesOf(header: string, value: string): NamedGrantee[] {
  return value.split(',').map((item) => {
    const match = GRANTEE.exec(item);
    const kind = (['id', 'uri', 'emailAddress'] as const).find(
      (name) => name.toLowerCase() === match?.[1]?.toLowerCase(),
    );
    if (match === null || kind === undefined) {
      throw invalidArgument('Argument format not recognized', header, item);
    }
    return { kind, value: match[2] ?? match[3] ?? match[4] ?? '', argument: kind };
  });
}
