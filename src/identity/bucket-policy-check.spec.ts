import { checkBucketPolicy } from './bucket-policy-check';
import { IdentityError } from './identity-error';
import { parsePolicy } from './policy-document';
import { S3_ACTIONS } from './s3-actions';

const BUCKET = 'arn:aws:s3:::photos';
const OBJECTS = `${BUCKET}/*`;
const ALLOW = { Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: OBJECTS };

/** A policy of one statement; undefined leaves an element out. */
const policy = (changes: Record<string, unknown> = {}): string =>
  JSON.stringify({ Version: '2012-10-17', Statement: [{ ...ALLOW, ...changes }] });
const on = (Action: unknown, Resource: unknown, Condition?: unknown): string => policy({ Action, Resource, Condition });

function refusal(text: string): string {
  try {
    checkBucketPolicy(text, 'photos');
    return 'accepted';
  } catch (error) {
    expect(error).toBeInstanceOf(IdentityError);
    expect((error as IdentityError).kind).toBe('MalformedPolicyDocument');
    return (error as IdentityError).message;
  }
}

describe('checkBucketPolicy', () => {
  it.each([
    ['', "Policies must be valid JSON and the first byte must be '{'"],
    [' {}', "Policies must be valid JSON and the first byte must be '{'"],
    ['[]', "Policies must be valid JSON and the first byte must be '{'"],
    ['{"Statement":[}', 'This policy contains invalid Json'],
    ['{}', 'Missing required field Statement'],
    ['{"Statement":[]}', 'Could not parse the policy: Statement is empty!'],
    ['{"Statement":"x"}', 'Invalid policy syntax.'],
    ['{"Statement":[null]}', 'Invalid policy syntax.'],
    ['{"Statement":{},"Comment":"x"}', 'Unknown field Comment'],
    ['{"Version":"2017-10-17","Statement":{}}', 'The policy must contain a valid version string'],
    ['{"Version":2012,"Statement":{}}', 'The policy must contain a valid version string'],
    [`{"Statement":${'['.repeat(9_000)}${']'.repeat(9_000)}}`, 'Invalid policy syntax.'],
  ])('refuses the document %.40s', (text, message) => {
    expect(refusal(text)).toBe(message);
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['no effect', { Effect: undefined }, 'Missing required field Effect'],
    ['no principal', { Principal: undefined }, 'Missing required field Principal'],
    ['no action', { Action: undefined }, 'Missing required field Action'],
    ['no resource', { Resource: undefined }, 'Missing required field Resource'],
    ['an empty principal', { Principal: {} }, 'Missing required field Principal cannot be empty!'],
    ['nobody as principal', { Principal: { AWS: [] } }, 'Missing required field Principal cannot be empty!'],
    ['no actions', { Action: [] }, 'Missing required field Action cannot be empty!'],
    ['null', { Action: null }, 'Invalid policy syntax.'],
    ['a number among actions', { Action: ['s3:GetObject', 1] }, 'Invalid policy syntax.'],
    ['both action elements', { NotAction: 's3:*' }, 'Invalid policy syntax.'],
    ['both resource elements', { NotResource: OBJECTS }, 'Invalid policy syntax.'],
    ['both principal elements', { NotPrincipal: { AWS: '*' } }, 'Invalid policy syntax.'],
    ['an unknown element', { condition: {} }, 'Unknown field condition'],
    ['another effect', { Effect: 'allow' }, 'Invalid effect: allow'],
    ['an effect that is no text', { Effect: true }, 'Invalid policy syntax.'],
    ['a Sid that is no text', { Sid: 1 }, 'Invalid policy syntax.'],
    ['a principal outside an object', { Principal: 'arn:aws:iam:::user/alice' }, 'Invalid policy syntax.'],
    ['an unknown kind of principal', { Principal: { IAM: 'alice' } }, 'Invalid principal in policy'],
    ['a role', { Principal: { AWS: 'arn:aws:iam::000000000000:role/admin' } }, 'Invalid principal in policy'],
    ['a pattern of users', { Principal: { AWS: 'arn:aws:iam:::user/*' } }, 'Invalid principal in policy'],
    ['a malformed account', { Principal: { AWS: 'arn:aws:iam::12:root' } }, 'Invalid principal in policy'],
    ['a malformed canonical id', { Principal: { CanonicalUser: 'ab12' } }, 'Invalid principal in policy'],
    ['every service', { Principal: { Service: '*' } }, 'Invalid principal in policy'],
    [
      'an Allow to all but some',
      { Principal: undefined, NotPrincipal: { AWS: 'alice' } },
      'Invalid principal in policy',
    ],
    ['an action that is none', { Action: 's3:PutObjectLockConfiguration' }, 'Policy has invalid action'],
    ['an action of another service', { Action: 'ec2:RunInstances' }, 'Policy has invalid action'],
    ['an action of a KMS', { Action: ['s3:GetObject', 'kms:Decrypt'] }, 'Policy has invalid action'],
    ['an action without service', { Action: 'GetObject' }, 'Policy has invalid action'],
    ['a pattern that means no action', { Action: 's3:Fetch*' }, 'Policy has invalid action'],
    ['an unknown action excepted', { Action: undefined, NotAction: 's3:Fetch*' }, 'Policy has invalid action'],
    ['every resource', { Resource: '*' }, 'Policy has invalid resource'],
    ['another bucket', { Resource: [OBJECTS, 'arn:aws:s3:::other/*'] }, 'Policy has invalid resource'],
    ['a resource of another service', { Resource: 'arn:aws:sqs:::photos' }, 'Policy has invalid resource'],
    ['no resources', { Resource: [] }, 'Policy has invalid resource'],
    ['an empty resource', { Resource: '' }, 'Policy has invalid resource'],
    ['a path', { Resource: 'photos/*' }, 'Policy has invalid resource'],
  ])('refuses a statement with %s', (_, changes, message) => {
    expect(refusal(policy(changes))).toBe(message);
  });

  it.each<[string, unknown, unknown]>([
    ['objects on a bucket', 's3:GetObject', BUCKET],
    ['a bucket on its objects', 's3:ListBucket', OBJECTS],
    ['a bucket on one of its objects', ['s3:GetObject', 's3:ListBucket'], `${BUCKET}/key`],
    ['the account', 's3:ListAllMyBuckets', [BUCKET, OBJECTS]],
    ['objects only, by a pattern', 's3:*Object', BUCKET],
  ])('refuses actions on %s', (_, action, resource) => {
    expect(refusal(on(action, resource))).toBe('Action does not apply to any resource(s) in statement');
  });

  const DO_NOT_APPLY = 'Conditions do not apply to combination of actions and resources in statement';
  it.each<[string, string, unknown]>([
    [
      'Policy has an invalid condition key',
      's3:GetObject',
      { StringEquals: { 's3:VersionStatus': 'x', 'aws:Any': 'x' } },
    ],
    ['Policy has an invalid condition key', 's3:GetObject', { StringEquals: { prefix: 'x' } }],
    ['Policy has an invalid condition key', 's3:GetObject', { StringEquals: { 's3:ExistingObjectTag/': 'x' } }],
    ['Policy has an invalid condition key', 's3:GetObject', { StringEquals: { 'jwt:sub': 'x' } }],
    ['Invalid Condition type : stringEquals', 's3:GetObject', { stringEquals: { 'aws:username': 'x' } }],
    ['Invalid Condition type : NullIfExists', 's3:GetObject', { NullIfExists: { 'aws:username': 'true' } }],
    ['Invalid IP address in Conditions', 's3:GetObject', { IpAddress: { 'aws:SourceIp': '10.0.0.0/33' } }],
    ['Condition NumericEquals must be a number', 's3:GetObject', { NumericEquals: { 's3:signatureAge': 'x' } }],
    ['Invalid policy syntax.', 's3:GetObject', { StringEquals: { 'aws:username': {} } }],
    ['Invalid policy syntax.', 's3:GetObject', { StringEquals: [] }],
    ['Invalid policy syntax.', 's3:GetObject', []],
    [DO_NOT_APPLY, 's3:GetObject', { StringEquals: { 's3:prefix': 'x' } }],
    [DO_NOT_APPLY, 's3:PutObject', { StringEquals: { 's3:ExistingObjectTag/security': 'public' } }],
    [DO_NOT_APPLY, 's3:PutObjectAcl', { StringEquals: { 's3:RequestObjectTag/security': 'public' } }],
    [DO_NOT_APPLY, 's3:*', { StringEquals: { 's3:prefix': 'x' } }],
  ])('answers %s for a condition', (message, action, condition) => {
    expect(refusal(on(action, OBJECTS, condition))).toBe(message);
  });

  it('refuses a condition that only some of the actions can have', () => {
    const condition = { StringLike: { 's3:x-amz-copy-source': 'photos/public/*' } };
    expect(refusal(on('s3:PutObject', OBJECTS, condition))).toBe('accepted');
    expect(refusal(on(['s3:GetObject', 's3:PutObject'], OBJECTS, condition))).toBe(DO_NOT_APPLY);
  });

  it.each<[string, string]>([
    ['every action, also on objects alone', on('s3:*', OBJECTS)],
    ['every action of every service', on('*', [BUCKET, OBJECTS])],
    ['patterns of actions', on(['s3:Get*', 's3:List*'], [BUCKET, OBJECTS])],
    ['actions in any case', on('S3:getobject', OBJECTS)],
    ['actions that this store has no operation for', on(['s3:ReplicateObject', 's3:InitiateReplication'], OBJECTS)],
    ['one resource more than the actions need', on('s3:ListBucket', [BUCKET, OBJECTS])],
    ['patterns of buckets', on(['s3:GetObject', 's3:ListBucket'], 'arn:aws:s3:::*')],
    ['everything but some actions', policy({ Action: undefined, NotAction: 's3:GetObject' })],
    ['everything but some resources', policy({ Resource: undefined, NotResource: OBJECTS, Action: 's3:ListBucket' })],
    [
      'a Deny to all but some',
      policy({ Effect: 'Deny', Principal: undefined, NotPrincipal: { AWS: 'arn:aws:iam:::user/alice' } }),
    ],
    ['a single statement', JSON.stringify({ Statement: ALLOW })],
    [
      'statements named alike',
      JSON.stringify({
        Statement: [
          { ...ALLOW, Sid: 'A b' },
          { ...ALLOW, Sid: 'A b' },
        ],
      }),
    ],
    ['everyone in a list', policy({ Principal: { AWS: ['*'] } })],
    ['accounts', policy({ Principal: { AWS: ['111122223333', 'arn:aws:iam::444455556666:root'] } })],
    ['services', policy({ Principal: { Service: ['cloudtrail.amazonaws.com'] } })],
    [
      'a condition of some actions of a pattern',
      on('s3:Put*', OBJECTS, { Null: { 's3:x-amz-server-side-encryption': 'true' } }),
    ],
    ['a condition on a tag', on('s3:GetObject', OBJECTS, { StringEquals: { 's3:ExistingObjectTag/an owner': 'x' } })],
    [
      'conditions that any request can have',
      on('s3:*', [BUCKET, OBJECTS], {
        Bool: { 'aws:SecureTransport': false },
        NumericLessThan: { 's3:TlsVersion': 1.2 },
        'ForAnyValue:StringLike': { 'aws:PrincipalOrgPaths': 'o-1/*' },
        StringEqualsIfExists: { 'AWS:newerThanThis': 'x', 'accounts.google.com:aud': 'x' },
      }),
    ],
  ])('accepts %s', (_, text) => {
    expect(refusal(text)).toBe('accepted');
  });

  it('accepts what mc anonymous and minio-go write', () => {
    const Principal = { AWS: ['*'] };
    const statements = [
      { Action: ['s3:GetBucketLocation', 's3:ListBucket', 's3:ListBucketMultipartUploads'], Resource: [BUCKET] },
      {
        Action: [
          's3:AbortMultipartUpload',
          's3:DeleteObject',
          's3:GetObject',
          's3:ListMultipartUploadParts',
          's3:PutObject',
        ],
        Resource: [`${BUCKET}/prefix*`],
      },
      {
        Action: ['s3:ListBucket'],
        Resource: [BUCKET],
        Condition: { StringEquals: { 's3:prefix': ['prefix'] } },
      },
    ].map((statement) => ({ Sid: '', Effect: 'Allow', Principal, ...statement }));
    expect(refusal(JSON.stringify({ Version: '2012-10-17', Statement: statements }))).toBe('accepted');
  });

  it('measures a document without its blanks', () => {
    const resources = (count: number): string[] =>
      Array.from({ length: count }, (_, index) => `${BUCKET}/${String(index).padStart(4, '0')} \\" x`);
    const fits = JSON.parse(on('s3:GetObject', resources(400))) as unknown;
    expect(Buffer.byteLength(JSON.stringify(fits, null, 40))).toBeGreaterThan(20_480);
    expect(refusal(JSON.stringify(fits, null, 40))).toBe('accepted');
    expect(refusal(on('s3:GetObject', resources(600)))).toBe(
      'Normalized policy document exceeds the maximum allowed size of 20480 bytes',
    );
  });

  it('says which part of the policy it means', () => {
    const detailOf = (text: string): unknown => {
      try {
        return checkBucketPolicy(text, 'photos');
      } catch (error) {
        return (error as IdentityError).details['Detail'];
      }
    };
    expect(detailOf(policy({ Principal: { AWS: 'a b' } }))).toBe('"AWS" : "a b"');
    expect(detailOf(policy({ Action: ['s3:GetObject', 's3:Fetch'] }))).toBe('s3:Fetch');
    expect(detailOf(policy({ Resource: 'arn:aws:s3:::other' }))).toBe('arn:aws:s3:::other');
  });

  it('leaves policies alone that were stored before', () => {
    const text = on('s3:GetObject', BUCKET);
    expect(parsePolicy(text, { type: 'bucket', bucket: 'photos' }).statements).toHaveLength(1);
  });
});

describe('S3_ACTIONS', () => {
  it('names each action once', () => {
    expect(new Set([...S3_ACTIONS.keys()].map((name) => name.toLowerCase())).size).toBe(S3_ACTIONS.size);
  });
});
