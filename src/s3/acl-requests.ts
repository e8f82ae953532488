import { Injectable } from '@nestjs/common';
import { IdentityService } from '../identity/identity.service';
import { ANONYMOUS } from '../identity/identity.types';
import { aclsEnabled, expandAcl, IMAGE_BUILDER, isPublicAcl } from '../object-storage/access-control';
import {
  ACL_GROUPS,
  type AccessControlList,
  type AclGrant,
  type AclGrantee,
  type AclRequest,
} from '../object-storage/access-control.types';
import { BucketAccessReader } from './bucket-access-reader';
import type { ListedResource } from './acl-permissions';
import { readAccessControlPolicy } from './documents/access-control-policy';
import { carriesAcl, namedAcl, type NamedAcl, type NamedGrant, type NamedGrantee } from './headers/acl-headers';
import type { S3Call } from './s3-call';
import { invalidArgument, S3Error } from './s3-error';

const MAX_DOCUMENT_BYTES = 64 * 1024;

/** Reads the access lists that requests carry: grantees looked up, and public ones refused where the bucket blocks them. */
@Injectable()
export class AclRequests {
  constructor(
    private readonly access: BucketAccessReader,
    private readonly identity: IdentityService,
  ) {}

  /**
   * The list that the headers of a call ask for; undefined when they ask for none.
   * @throws S3Error `InvalidArgument`, `InvalidRequest`, `UnresolvableGrantByEmailAddress`; `AccessDenied` by
   *   `BlockPublicAcls`
   */
  async ofHeaders(call: S3Call): Promise<AclRequest | undefined> {
    const named = namedAcl(call.headers);
    return named && this.#accept(call, named, []);
  }

  /**
   * The list that a call sets on its bucket or object, by headers or by a document.
   *
   * @param resource the bucket or object as it is; the document must name the same owner
   * @throws S3Error as {@link ofHeaders}, `MalformedACLError`, `UnexpectedContent` for headers beside a document,
   *   `MissingSecurityHeader` for neither, `AccessDenied` for a document that names another owner
   */
  async toBeSet(call: S3Call, resource: ListedResource): Promise<AclRequest> {
    const body = await call.body.readOptional(MAX_DOCUMENT_BYTES);
    if (body.length > 0 && carriesAcl(call.headers)) {
      throw new S3Error('UnexpectedContent');
    }
    const named = namedAcl(call.headers);
    if (named !== undefined) {
      return this.#accept(call, named, [resource.owner]);
    }
    if (body.length === 0) {
      throw new S3Error('MissingSecurityHeader', undefined, { MissingHeaderName: 'x-amz-acl' });
    }
    const document = readAccessControlPolicy(body);
    const acl = await this.#accept(call, document, idsOf(resource));
    if (document.owner !== resource.owner) {
      if (!(await this.identity.knowsOwner(document.owner))) {
        throw invalidArgument('Invalid id', 'CanonicalUser/ID', document.owner);
      }
      throw new S3Error('AccessDenied', 'The owner of a bucket or an object cannot be changed by its ACL.');
    }
    return acl;
  }

  /** @param known canonical ids that need no look-up, as those of owners who are no more */
  async #accept(call: S3Call, named: NamedAcl, known: readonly string[]): Promise<AclRequest> {
    const access = await this.access.of(call, call.bucket);
    const ids = access === undefined ? known : [...known, access.owner];
    // What no list may say here is refused before anybody is looked up.
    if (access !== undefined && !aclsEnabled(access) && 'grants' in named && namesOthers(named.grants, access.owner)) {
      throw new S3Error('AccessControlListNotSupported');
    }
    const request = 'canned' in named ? named : { grants: await this.#resolve(named.grants, ids) };
    if (access?.block.BlockPublicAcls === true && isPublicAcl(expandAcl(request, '', ''))) {
      throw new S3Error('AccessDenied', 'The public access block of the bucket refuses public ACLs.');
    }
    return request;
  }

  async #resolve(grants: readonly NamedGrant[], known: readonly string[]): Promise<AccessControlList> {
    const resolved: AclGrant[] = [];
    for (const { grantee, permission } of grants) {
      resolved.push({ grantee: await this.#grantee(grantee, known), permission });
    }
    return resolved;
  }

  async #grantee({ kind, value, argument }: NamedGrantee, known: readonly string[]): Promise<AclGrantee> {
    switch (kind) {
      case 'uri':
        if (!ACL_GROUPS.includes(value)) {
          throw invalidArgument('Invalid group uri', argument, value);
        }
        return { uri: value };
      case 'id':
        if (![ANONYMOUS.ownerId, IMAGE_BUILDER, ...known].includes(value) && !(await this.identity.knowsOwner(value))) {
          throw invalidArgument('Invalid id', argument, value);
        }
        return { id: value };
      case 'emailAddress': {
        // A user has no address beside its name, which may be one.
        const user = value.includes('@') ? await this.identity.findPrincipal(value) : undefined;
        if (user === undefined) {
          throw new S3Error('UnresolvableGrantByEmailAddress');
        }
        return { id: user.ownerId };
      }
    }
  }
}

/** Addresses may be the owner's own, which only a look-up can tell. */
function namesOthers(grants: readonly NamedGrant[], owner: string): boolean {
  return grants.some(({ grantee }) => grantee.kind !== 'emailAddress' && grantee.value !== owner);
}

/** Whoever may be named again because the list as it is names them. */
function idsOf({ owner, acl = [] }: ListedResource): string[] {
  return [owner, ...acl.flatMap(({ grantee }) => ('id' in grantee ? [grantee.id] : []))];
}
