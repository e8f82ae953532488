import {
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketOwnershipControlsCommand,
  DeleteObjectCommand,
  GetBucketAclCommand,
  GetBucketOwnershipControlsCommand,
  GetBucketPolicyStatusCommand,
  GetObjectAclCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  ListPartsCommand,
  PutBucketAclCommand,
  PutBucketOwnershipControlsCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectAclCommand,
  PutObjectCommand,
  PutPublicAccessBlockCommand,
  type Grant,
  type ObjectCannedACL,
  type ObjectOwnership,
  type Permission,
  type PublicAccessBlockConfiguration,
  type S3Client,
} from '@aws-sdk/client-s3';
import { outcome } from '../../test/support/outcome';
import { startS3App, type S3App } from '../../test/support/s3-app';
import { createS3User, type S3User } from '../../test/support/s3-users';
import { Database } from '../database/database';

const ALL_USERS = 'http://acs.amazonaws.com/groups/global/AllUsers';
/** What is no business of access lists; all else the landlord may do by its lists alone. */
const CONFIGURES = {
  Effect: 'Allow',
  Action: ['s3:CreateBucket', 's3:PutBucket*', 's3:GetBucket*', 's3:DeleteBucket*'],
  NotResource: 'arn:aws:s3:::never',
};

let app: S3App;
let landlord: S3User;
let guest: S3User;

beforeAll(async () => {
  app = await startS3App();
  landlord = await createS3User(app, 'landlord', [CONFIGURES]);
  guest = await createS3User(app, 'guest@example.org');
});

afterAll(async () => {
  landlord.client.destroy();
  guest.client.destroy();
  await app.close();
});

const create = (Bucket: string, ObjectOwnership?: ObjectOwnership, ACL?: 'public-read' | 'public-read-write') =>
  landlord.client.send(new CreateBucketCommand({ Bucket, ObjectOwnership, ACL }));
const put = (by: S3Client, Bucket: string, Key: string, ACL?: ObjectCannedACL) =>
  by.send(new PutObjectCommand({ Bucket, Key, Body: `body of ${Key}`, ACL }));
const get = (by: S3Client, Bucket: string, Key: string, VersionId?: string) =>
  by.send(new GetObjectCommand({ Bucket, Key, VersionId }));
const list = (by: S3Client, Bucket: string) => by.send(new ListObjectsV2Command({ Bucket }));
const setBlock = (Bucket: string, PublicAccessBlockConfiguration: PublicAccessBlockConfiguration) =>
  app.s3().send(new PutPublicAccessBlockCommand({ Bucket, PublicAccessBlockConfiguration }));
const setPolicy = (Bucket: string, ...Statement: object[]) =>
  app.s3().send(new PutBucketPolicyCommand({ Bucket, Policy: JSON.stringify({ Version: '2012-10-17', Statement }) }));

/** A bucket in which its owner may do everything. */
async function setOpen(bucket: string, ownership?: ObjectOwnership): Promise<void> {
  await create(bucket, ownership);
  await setPolicy(bucket, {
    Effect: 'Allow',
    Principal: { AWS: 'landlord' },
    Action: 's3:*',
    Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`],
  });
}

/** Status of an unsigned GET. */
const anonymous = async (path: string): Promise<number> => (await fetch(`${app.target.endpoint}/${path}`)).status;

/** Grants written short, with names for ids. */
function grantsOf(grants: readonly Grant[] | undefined): string[] {
  const names: Record<string, string> = { [landlord.ownerId]: 'landlord', [guest.ownerId]: 'guest' };
  return (grants ?? [])
    .map(({ Grantee, Permission: permission }) => {
      const who = Grantee?.URI?.split('/').at(-1) ?? names[Grantee?.ID ?? ''] ?? Grantee?.ID ?? '';
      return `${who}:${permission ?? ''}`;
    })
    .sort();
}

async function objectAcl(Bucket: string, Key: string, VersionId?: string): Promise<[string, string[]]> {
  const { Owner, Grants } = await app.s3().send(new GetObjectAclCommand({ Bucket, Key, VersionId }));
  return [
    Owner?.ID === landlord.ownerId ? 'landlord' : Owner?.ID === guest.ownerId ? 'guest' : 'other',
    grantsOf(Grants),
  ];
}

describe('a bucket with enforced ownership', () => {
  beforeAll(async () => {
    await create('enforced');
    await setPolicy('enforced', {
      Effect: 'Allow',
      Principal: { AWS: ['guest@example.org', 'landlord'] },
      Action: 's3:*',
      Resource: ['arn:aws:s3:::enforced', 'arn:aws:s3:::enforced/*'],
    });
  });

  it('is what AWS makes by default', async () => {
    const { OwnershipControls } = await app.s3().send(new GetBucketOwnershipControlsCommand({ Bucket: 'enforced' }));
    expect(OwnershipControls?.Rules).toEqual([{ ObjectOwnership: 'BucketOwnerEnforced' }]);
    const { Grants } = await app.s3().send(new GetBucketAclCommand({ Bucket: 'enforced' }));
    expect(grantsOf(Grants)).toEqual(['landlord:FULL_CONTROL']);
  });

  it('owns whatever anybody writes into it', async () => {
    await put(guest.client, 'enforced', 'plain');
    await put(guest.client, 'enforced', 'handed', 'bucket-owner-full-control');
    for (const key of ['plain', 'handed']) {
      expect(await objectAcl('enforced', key)).toEqual(['landlord', ['landlord:FULL_CONTROL']]);
    }
    const upload = await guest.client.send(new CreateMultipartUploadCommand({ Bucket: 'enforced', Key: 'big' }));
    const parts = await guest.client.send(
      new ListPartsCommand({ Bucket: 'enforced', Key: 'big', UploadId: upload.UploadId }),
    );
    expect([parts.Owner?.ID, parts.Initiator?.ID]).toEqual([landlord.ownerId, guest.ownerId]);
  });

  it('takes no access list', async () => {
    const refused = 'AccessControlListNotSupported';
    expect(await outcome(put(guest.client, 'enforced', 'x', 'public-read'))).toBe(refused);
    const at = { Bucket: 'enforced', Key: 'plain' };
    const copy = new CopyObjectCommand({ ...at, Key: 'copy', CopySource: 'enforced/plain', ACL: 'public-read' });
    expect(await outcome(guest.client.send(copy))).toBe(refused);
    const multipart = new CreateMultipartUploadCommand({ ...at, ACL: 'bucket-owner-read' });
    expect(await outcome(guest.client.send(multipart))).toBe(refused);
    const grant = new PutObjectCommand({ ...at, GrantRead: `id=${guest.ownerId}` });
    expect(await outcome(guest.client.send(grant))).toBe(refused);
    expect(await outcome(guest.client.send(new PutObjectAclCommand({ ...at, ACL: 'public-read' })))).toBe(refused);
    // Even of somebody whom nobody knows.
    const unknown = new PutBucketAclCommand({ Bucket: 'enforced', GrantRead: 'id=nobody' });
    expect(await outcome(landlord.client.send(unknown))).toBe(refused);
    const bucketAcl = new PutBucketAclCommand({ Bucket: 'enforced', ACL: 'public-read' });
    expect(await outcome(landlord.client.send(bucketAcl))).toBe(refused);
    expect(await outcome(create('enforced-public', undefined, 'public-read'))).toBe(
      'InvalidBucketAclWithObjectOwnership',
    );
  });

  it('takes `private`, which grants nothing more, until somebody chooses enforcement', async () => {
    const at = { Bucket: 'by-default', Key: 'key' };
    const each = async (Bucket: string): Promise<Record<string, string>> => {
      const by = landlord.client;
      const to = { ...at, Bucket, ACL: 'private' } as const;
      return {
        put: await outcome(by.send(new PutObjectCommand({ ...to, Body: 'x' }))),
        copy: await outcome(by.send(new CopyObjectCommand({ ...to, Key: 'copy', CopySource: 'by-default/key' }))),
        upload: await outcome(by.send(new CreateMultipartUploadCommand(to))),
        objectAcl: await outcome(by.send(new PutObjectAclCommand(to))),
        bucketAcl: await outcome(by.send(new PutBucketAclCommand({ Bucket, ACL: 'private' }))),
      };
    };
    const all = (result: string) => ({
      put: result,
      copy: result,
      upload: result,
      objectAcl: result,
      bucketAcl: result,
    });
    await setOpen('by-default');
    expect(await each('by-default')).toEqual(all('ok'));
    expect(await objectAcl('by-default', 'key')).toEqual(['landlord', ['landlord:FULL_CONTROL']]);
    await setOpen('chosen', 'BucketOwnerEnforced');
    await put(landlord.client, 'chosen', 'key');
    expect(await each('chosen')).toEqual(all('AccessControlListNotSupported'));
    const rule = { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' as const }] };
    await landlord.client.send(
      new PutBucketOwnershipControlsCommand({ Bucket: 'by-default', OwnershipControls: rule }),
    );
    expect(await each('by-default')).toEqual(all('AccessControlListNotSupported'));
  });

  it('costs a PUT and a GET no further statement', async () => {
    const database = app.module.get(Database);
    const client = (await createS3User(app, 'counted', [{ Effect: 'Allow', Action: 's3:*', Resource: '*' }])).client;
    await put(client, 'enforced', 'counted');
    const query = jest.spyOn(database, 'query');
    const execute = jest.spyOn(database, 'execute');
    const named = (): string[] => [...query.mock.calls, ...execute.mock.calls].map(([statement]) => statement.name);
    await put(client, 'enforced', 'counted');
    expect(named()).toEqual(['bucket.access', 'bucket.find', 'object.commit']);
    query.mockClear();
    await (await get(client, 'enforced', 'counted')).Body?.transformToString();
    expect(named()).toEqual(['bucket.access', 'object.find-current']);
    query.mockRestore();
    execute.mockRestore();
    client.destroy();
  });
});

describe('ownership controls', () => {
  it('decide whose an uploaded object is', async () => {
    for (const [bucket, ownership, handedOver] of [
      ['preferred', 'BucketOwnerPreferred', ['landlord', ['landlord:FULL_CONTROL']]],
      ['writers', 'ObjectWriter', ['guest', ['guest:FULL_CONTROL', 'landlord:FULL_CONTROL']]],
    ] as const) {
      await create(bucket, ownership, 'public-read-write');
      await put(guest.client, bucket, 'plain');
      await put(guest.client, bucket, 'handed', 'bucket-owner-full-control');
      await put(guest.client, bucket, 'readable', 'bucket-owner-read');
      expect(await objectAcl(bucket, 'plain')).toEqual(['guest', ['guest:FULL_CONTROL']]);
      expect(await objectAcl(bucket, 'handed')).toEqual(handedOver);
      expect(await objectAcl(bucket, 'readable')).toEqual(['guest', ['guest:FULL_CONTROL', 'landlord:READ']]);
    }
  });

  it('can be enforced only on a bucket whose list grants nobody else anything, and bring lists back when they go', async () => {
    await create('switched', 'ObjectWriter', 'public-read');
    await put(landlord.client, 'switched', 'open', 'public-read');
    const enforce = new PutBucketOwnershipControlsCommand({
      Bucket: 'switched',
      OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] },
    });
    expect(await outcome(landlord.client.send(enforce))).toBe('InvalidBucketAclWithObjectOwnership');
    await landlord.client.send(new PutBucketAclCommand({ Bucket: 'switched', ACL: 'private' }));
    expect(await anonymous('switched/open')).toBe(200);
    await landlord.client.send(enforce);
    expect(await anonymous('switched/open')).toBe(403);
    expect(await objectAcl('switched', 'open')).toEqual(['landlord', ['landlord:FULL_CONTROL']]);
    await landlord.client.send(new DeleteBucketOwnershipControlsCommand({ Bucket: 'switched' }));
    const read = new GetBucketOwnershipControlsCommand({ Bucket: 'switched' });
    expect(await outcome(landlord.client.send(read))).toBe('OwnershipControlsNotFoundError');
    expect(await anonymous('switched/open')).toBe(200);
  });

  it('are judged by policies when a bucket is created', async () => {
    const strict = await createS3User(app, 'strict', [
      CONFIGURES,
      {
        Effect: 'Deny',
        Action: 's3:CreateBucket',
        Resource: '*',
        Condition: { StringNotEquals: { 's3:x-amz-object-ownership': 'BucketOwnerEnforced' } },
      },
    ]);
    const make = (Bucket: string, ObjectOwnership: ObjectOwnership): Promise<string> =>
      outcome(strict.client.send(new CreateBucketCommand({ Bucket, ObjectOwnership })));
    expect(await make('strict-one', 'ObjectWriter')).toBe('AccessDenied');
    expect(await make('strict-two', 'BucketOwnerEnforced')).toBe('ok');
    strict.client.destroy();
  });
});

describe('access lists', () => {
  const grant = (id: string, ...permissions: Permission[]): Grant[] =>
    permissions.map((Permission) => ({ Grantee: { Type: 'CanonicalUser', ID: id }, Permission }));

  beforeAll(() => create('lists', 'ObjectWriter'));

  it('let anybody write, but nobody unknown begin an upload', async () => {
    const Bucket = 'for-all';
    const ObjectOwnership = 'ObjectWriter';
    await landlord.client.send(new CreateBucketCommand({ Bucket, ObjectOwnership, ACL: 'public-read-write' }));
    const send = (method: string, path: string) => fetch(`${app.target.endpoint}/${Bucket}/${path}`, { method });
    expect((await send('PUT', 'key')).status).toBe(200);
    const upload = await send('POST', 'key?uploads');
    expect([upload.status, await upload.text()]).toEqual([
      403,
      expect.stringContaining('Anonymous users cannot initiate multipart uploads.'),
    ]);
  });

  it('give the owner of a bucket its objects, and nobody else', async () => {
    await put(landlord.client, 'lists', 'own');
    expect(await outcome(list(landlord.client, 'lists'))).toBe('ok');
    expect(await outcome(get(landlord.client, 'lists', 'own'))).toBe('ok');
    for (const work of [
      get(guest.client, 'lists', 'own'),
      list(guest.client, 'lists'),
      put(guest.client, 'lists', 'x'),
    ]) {
      expect(await outcome(work)).toBe('AccessDenied');
    }
    expect([await anonymous('lists'), await anonymous('lists/own')]).toEqual([403, 403]);
  });

  it.each<[Permission, Record<string, string>]>([
    ['READ', { list: 'ok', put: 'AccessDenied', acl: 'AccessDenied', setAcl: 'AccessDenied' }],
    ['WRITE', { list: 'AccessDenied', put: 'ok', acl: 'AccessDenied', setAcl: 'AccessDenied' }],
    ['READ_ACP', { list: 'AccessDenied', put: 'AccessDenied', acl: 'ok', setAcl: 'AccessDenied' }],
    ['WRITE_ACP', { list: 'AccessDenied', put: 'AccessDenied', acl: 'AccessDenied', setAcl: 'ok' }],
    ['FULL_CONTROL', { list: 'ok', put: 'ok', acl: 'ok', setAcl: 'ok' }],
  ])('of a bucket grant %s as AWS maps it', async (permission, expected) => {
    const Bucket = 'lists';
    const AccessControlPolicy = {
      Owner: { ID: landlord.ownerId },
      Grants: [...grant(landlord.ownerId, 'FULL_CONTROL'), ...grant(guest.ownerId, permission)],
    };
    await landlord.client.send(new PutBucketAclCommand({ Bucket, AccessControlPolicy }));
    expect({
      list: await outcome(list(guest.client, Bucket)),
      put: await outcome(put(guest.client, Bucket, 'by-guest')),
      acl: await outcome(guest.client.send(new GetBucketAclCommand({ Bucket }))),
      setAcl: await outcome(guest.client.send(new PutBucketAclCommand({ Bucket, AccessControlPolicy }))),
    }).toEqual(expected);
  });

  it.each<[Permission, Record<string, string>]>([
    ['READ', { get: 'ok', acl: 'AccessDenied', setAcl: 'AccessDenied' }],
    ['READ_ACP', { get: 'AccessDenied', acl: 'ok', setAcl: 'AccessDenied' }],
    ['WRITE_ACP', { get: 'AccessDenied', acl: 'AccessDenied', setAcl: 'ok' }],
    ['WRITE', { get: 'AccessDenied', acl: 'AccessDenied', setAcl: 'AccessDenied' }],
    ['FULL_CONTROL', { get: 'ok', acl: 'ok', setAcl: 'ok' }],
  ])('of an object grant %s as AWS maps it', async (permission, expected) => {
    const at = { Bucket: 'lists', Key: 'granted' };
    await put(landlord.client, at.Bucket, at.Key);
    const AccessControlPolicy = { Owner: { ID: landlord.ownerId }, Grants: grant(guest.ownerId, permission) };
    await landlord.client.send(new PutObjectAclCommand({ ...at, AccessControlPolicy }));
    expect({
      get: await outcome(get(guest.client, at.Bucket, at.Key)),
      acl: await outcome(guest.client.send(new GetObjectAclCommand(at))),
      setAcl: await outcome(guest.client.send(new PutObjectAclCommand({ ...at, AccessControlPolicy }))),
    }).toEqual(expected);
  });

  it('belong to one version, and are never copied', async () => {
    await create('versions', 'ObjectWriter');
    const versioning = { Status: 'Enabled' } as const;
    await landlord.client.send(
      new PutBucketVersioningCommand({ Bucket: 'versions', VersioningConfiguration: versioning }),
    );
    const first = await put(landlord.client, 'versions', 'k', 'public-read');
    const second = await put(landlord.client, 'versions', 'k');
    expect(await anonymous('versions/k')).toBe(403);
    expect(await anonymous(`versions/k?versionId=${first.VersionId ?? ''}`)).toBe(200);
    const at = { Bucket: 'versions', Key: 'k', VersionId: second.VersionId };
    await landlord.client.send(new PutObjectAclCommand({ ...at, ACL: 'authenticated-read' }));
    expect([await anonymous('versions/k'), await outcome(get(guest.client, 'versions', 'k'))]).toEqual([403, 'ok']);
    const source = `versions/k?versionId=${first.VersionId ?? ''}`;
    await landlord.client.send(new CopyObjectCommand({ Bucket: 'versions', Key: 'copy', CopySource: source }));
    expect(await objectAcl('versions', 'copy')).toEqual(['landlord', ['landlord:FULL_CONTROL']]);
    const { Versions } = await landlord.client.send(new ListObjectVersionsCommand({ Bucket: 'versions' }));
    expect(Versions).toHaveLength(3);
  });

  it('let a writer delete what it owns, and the bucket’s owner everything', async () => {
    await create('shared', 'ObjectWriter', 'public-read-write');
    await put(landlord.client, 'shared', 'of-landlord');
    await put(guest.client, 'shared', 'of-guest');
    await put(guest.client, 'shared', 'of-guest-too');
    const remove = (by: S3Client, Key: string): Promise<string> =>
      outcome(by.send(new DeleteObjectCommand({ Bucket: 'shared', Key })));
    expect(await remove(guest.client, 'of-landlord')).toBe('AccessDenied');
    expect(await remove(guest.client, 'of-guest')).toBe('ok');
    expect(await remove(landlord.client, 'of-guest-too')).toBe('ok');
    expect(await outcome(get(guest.client, 'shared', 'of-landlord'))).toBe('AccessDenied');
  });

  it('open a bucket to anonymous readers, who learn what is missing where they may list', async () => {
    await create('open', 'ObjectWriter', 'public-read');
    await put(landlord.client, 'open', 'page', 'public-read');
    await put(landlord.client, 'open', 'secret');
    expect(await Promise.all(['open', 'open/page', 'open/secret', 'open/missing'].map(anonymous))).toEqual([
      200, 200, 403, 404,
    ]);
    expect(await anonymous('lists/missing')).toBe(403);
    const upload = await fetch(`${app.target.endpoint}/open/new`, { method: 'PUT', body: 'x' });
    expect(upload.status).toBe(403);
  });

  it('yield to a policy that denies, and add to policies that say nothing', async () => {
    await create('denied', 'ObjectWriter', 'public-read');
    await put(landlord.client, 'denied', 'page', 'public-read');
    const all = { Effect: 'Deny', Principal: '*', Resource: ['arn:aws:s3:::denied', 'arn:aws:s3:::denied/*'] };
    await setPolicy('denied', { ...all, Action: 's3:ListBucket' });
    expect([await anonymous('denied'), await anonymous('denied/page')]).toEqual([403, 200]);
    expect(await outcome(list(landlord.client, 'denied'))).toBe('AccessDenied');
    const condition = { StringLike: { 's3:x-amz-acl': 'public*' } };
    await setPolicy('denied', { ...all, Action: 's3:PutObject', Condition: condition });
    expect(await outcome(put(landlord.client, 'denied', 'x', 'public-read'))).toBe('AccessDenied');
    expect(await outcome(put(landlord.client, 'denied', 'x', 'private'))).toBe('ok');
    const full = { StringNotEquals: { 's3:x-amz-grant-full-control': `id=${landlord.ownerId}` } };
    await setPolicy('denied', { ...all, Action: 's3:PutObject', Condition: full });
    expect(await outcome(put(landlord.client, 'denied', 'x'))).toBe('AccessDenied');
    const granting = { Bucket: 'denied', Key: 'x', GrantFullControl: `id=${landlord.ownerId}` };
    expect(await outcome(landlord.client.send(new PutObjectCommand(granting)))).toBe('ok');
    await setPolicy('denied', { ...all, Action: 's3:PutObjectAcl' });
    expect(await outcome(put(landlord.client, 'denied', 'x', 'public-read'))).toBe('AccessDenied');
  });

  it('are refused when they are malformed or name nobody', async () => {
    const Bucket = 'lists';
    const setTo = (Grants: Grant[], Owner = { ID: landlord.ownerId }): Promise<string> =>
      outcome(landlord.client.send(new PutBucketAclCommand({ Bucket, AccessControlPolicy: { Grants, Owner } })));
    const mail = (EmailAddress: string): Grant => ({
      Grantee: { Type: 'AmazonCustomerByEmail', EmailAddress },
      Permission: 'READ',
    });
    expect(await setTo(grant('_nobody', 'READ'))).toBe('InvalidArgument');
    expect(await setTo([{ Grantee: { Type: 'Group', URI: `${ALL_USERS}s` }, Permission: 'READ' }])).toBe(
      'InvalidArgument',
    );
    expect(await setTo([mail('nobody@example.org')])).toBe('UnresolvableGrantByEmailAddress');
    expect(await setTo([], { ID: guest.ownerId })).toBe('AccessDenied');
    expect(await outcome(landlord.client.send(new PutBucketAclCommand({ Bucket })))).toBe('MissingSecurityHeader');
    // Neither is looked at while both are there.
    const both = { ACL: 'private', GrantRead: 'nobody' } as const;
    expect(await outcome(landlord.client.send(new PutBucketAclCommand({ Bucket, ...both })))).toBe('InvalidRequest');
    const AccessControlPolicy = { Grants: [], Owner: { ID: landlord.ownerId } };
    expect(
      await outcome(landlord.client.send(new PutBucketAclCommand({ Bucket, ACL: 'private', AccessControlPolicy }))),
    ).toBe('UnexpectedContent');
    expect(await setTo([mail('guest@example.org')])).toBe('ok');
    const { Grants } = await app.s3().send(new GetBucketAclCommand({ Bucket }));
    expect(grantsOf(Grants)).toEqual(['guest:READ']);
    expect(await setTo(grant(landlord.ownerId, 'FULL_CONTROL'))).toBe('ok');
  });
});

describe('the public access block', () => {
  const allow = (Bucket: string, more: object = {}): object => ({
    Effect: 'Allow',
    Principal: '*',
    Action: 's3:GetObject',
    Resource: `arn:aws:s3:::${Bucket}/*`,
    ...more,
  });

  it('refuses new public lists and keeps the old ones', async () => {
    await create('no-new', 'ObjectWriter', 'public-read');
    await setBlock('no-new', { BlockPublicAcls: true });
    expect(await anonymous('no-new')).toBe(200);
    expect(await outcome(put(landlord.client, 'no-new', 'x', 'public-read'))).toBe('AccessDenied');
    expect(await outcome(put(landlord.client, 'no-new', 'x', 'authenticated-read'))).toBe('AccessDenied');
    expect(await outcome(put(landlord.client, 'no-new', 'x', 'private'))).toBe('ok');
    const set = new PutBucketAclCommand({ Bucket: 'no-new', GrantRead: `uri="${ALL_USERS}"` });
    expect(await outcome(landlord.client.send(set))).toBe('AccessDenied');
    expect(await outcome(app.s3().send(set))).toBe('AccessDenied');
  });

  it('takes the effect from the public lists that are there', async () => {
    await create('ignored', 'ObjectWriter', 'public-read');
    await put(landlord.client, 'ignored', 'page', 'public-read');
    expect(await outcome(list(guest.client, 'ignored'))).toBe('ok');
    await setBlock('ignored', { IgnorePublicAcls: true });
    expect([await anonymous('ignored'), await anonymous('ignored/page')]).toEqual([403, 403]);
    expect(await outcome(list(guest.client, 'ignored'))).toBe('AccessDenied');
    expect(await outcome(list(landlord.client, 'ignored'))).toBe('ok');
  });

  it('refuses public policies', async () => {
    await create('no-policy');
    await setBlock('no-policy', { BlockPublicPolicy: true });
    expect(await outcome(setPolicy('no-policy', allow('no-policy')))).toBe('AccessDenied');
    const narrow = allow('no-policy', { Condition: { IpAddress: { 'aws:SourceIp': '127.0.0.0/8' } } });
    expect(await outcome(setPolicy('no-policy', narrow))).toBe('ok');
    const { PolicyStatus } = await app.s3().send(new GetBucketPolicyStatusCommand({ Bucket: 'no-policy' }));
    expect(PolicyStatus).toEqual({ IsPublic: false });
  });

  it('shuts a bucket with a public policy to all but those with policies of their own', async () => {
    await create('restricted', 'ObjectWriter');
    await put(landlord.client, 'restricted', 'page', 'public-read');
    await setPolicy('restricted', allow('restricted'));
    const { PolicyStatus } = await app.s3().send(new GetBucketPolicyStatusCommand({ Bucket: 'restricted' }));
    expect(PolicyStatus).toEqual({ IsPublic: true });
    expect(await anonymous('restricted/page')).toBe(200);
    await setBlock('restricted', { RestrictPublicBuckets: true });
    expect(await anonymous('restricted/page')).toBe(403);
    expect(await outcome(get(landlord.client, 'restricted', 'page'))).toBe('ok');
    // A policy that is not public is left alone.
    await setPolicy('restricted', allow('restricted', { Condition: { IpAddress: { 'aws:SourceIp': '127.0.0.1' } } }));
    expect(await anonymous('restricted/page')).toBe(200);
  });
});

describe('the default object ownership of the deployment', () => {
  it('serves clients that set lists without asking for ownership controls', async () => {
    const lenient = await startS3App({ defaultObjectOwnership: 'ObjectWriter' });
    const s3 = lenient.s3();
    await s3.send(new CreateBucketCommand({ Bucket: 'legacy', ACL: 'public-read' }));
    await s3.send(new PutObjectCommand({ Bucket: 'legacy', Key: 'page', Body: 'x', ACL: 'public-read' }));
    expect((await fetch(`${lenient.target.endpoint}/legacy/page`)).status).toBe(200);
    // As in the first region of AWS, creating the bucket again sets its list anew.
    await s3.send(new CreateBucketCommand({ Bucket: 'legacy' }));
    expect((await fetch(`${lenient.target.endpoint}/legacy`)).status).toBe(403);
    s3.destroy();
    await lenient.close();
  });
});
