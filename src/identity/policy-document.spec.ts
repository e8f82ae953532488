import { CANNED_POLICIES } from './canned-policies';
import { IdentityError } from './identity-error';
import { MAX_POLICY_LENGTH, parsePolicy } from './policy-document';
import type { PolicyKind } from './policy.types';

const ALLOW_GET = { Effect: 'Allow', Action: 's3:GetObject', Resource: 'arn:aws:s3:::photos/*' };
const BUCKET: PolicyKind = { type: 'bucket', bucket: 'photos' };

function problemsOf(document: unknown, kind?: PolicyKind): string[] {
  try {
    parsePolicy(typeof document === 'string' ? document : JSON.stringify(document), kind);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(IdentityError);
    expect((error as IdentityError).kind).toBe('MalformedPolicyDocument');
    return (error as IdentityError).problems.map((problem) => `${problem.field}: ${problem.message}`);
  }
}

const statement = (changes: Record<string, unknown>): unknown => ({
  Version: '2012-10-17',
  Statement: [{ ...ALLOW_GET, ...changes }],
});

describe('parsePolicy', () => {
  it.each(CANNED_POLICIES.map((policy) => [policy.name, policy.document]))(
    'accepts the canned policy %s',
    (_, text) => {
      expect(problemsOf(text)).toEqual([]);
    },
  );

  it('accepts the example policies of the AWS user guide', () => {
    // AWS IAM User Guide, "Allows Amazon S3 access to a user's home directory" and "Denies access based on source IP".
    const home = {
      Version: '2012-10-17',
      Statement: [
        { Sid: 'List', Effect: 'Allow', Action: ['s3:ListAllMyBuckets'], Resource: 'arn:aws:s3:::*' },
        {
          Effect: 'Allow',
          Action: 's3:ListBucket',
          Resource: 'arn:aws:s3:::bucket-name',
          Condition: { StringLike: { 's3:prefix': ['', 'home/', 'home/${aws:username}/*'] } },
        },
        { Effect: 'Allow', Action: 's3:*', Resource: ['arn:aws:s3:::bucket-name/home/${aws:username}/*'] },
      ],
    };
    const sourceIp = {
      Version: '2012-10-17',
      Statement: {
        Effect: 'Deny',
        Action: '*',
        Resource: '*',
        Condition: {
          NotIpAddress: { 'aws:SourceIp': ['192.0.2.0/24', '203.0.113.0/24'] },
          Bool: { 'aws:ViaAWSService': false },
        },
      },
    };
    expect(problemsOf(home)).toEqual([]);
    expect(problemsOf(sourceIp)).toEqual([]);
  });

  it.each<[string, unknown, string]>([
    ['text that is not JSON', '{', ': is not JSON'],
    ['a list', [], ': must be a JSON object'],
    ['no statement', { Version: '2012-10-17' }, 'Statement: must hold at least one statement'],
    ['an empty list', { Statement: [] }, 'Statement: must hold at least one statement'],
    ['a statement that is no object', { Statement: ['x'] }, 'Statement[0]: must be an object'],
    ['an unknown version', { Version: '2020-01-01', Statement: ALLOW_GET }, 'Version: must be "2012-10-17"'],
    ['an unknown element', { Statements: [], Statement: ALLOW_GET }, 'Statements: is not an element'],
    ['an unknown statement element', statement({ Actions: 's3:*' }), 'Statement[0].Actions: is not an element'],
    ['a wrong effect', statement({ Effect: 'allow' }), 'Statement[0].Effect: must be "Allow" or "Deny"'],
    ['no action', statement({ Action: undefined }), 'Statement[0].Action: is missing'],
    ['an empty action list', statement({ Action: [] }), 'Statement[0].Action: must be a text'],
    [
      'an action without service',
      statement({ Action: 'GetObject' }),
      'Statement[0].Action: "GetObject" must look like',
    ],
    ['both action elements', statement({ NotAction: 's3:*' }), 'Statement[0].NotAction: cannot stand beside Action'],
    ['no resource on S3 actions', statement({ Resource: undefined }), 'Statement[0].Resource: is missing'],
    ['a resource that is no ARN', statement({ Resource: 'photos/*' }), 'Statement[0].Resource: "photos/*" must be'],
    ['both resource elements', statement({ NotResource: '*' }), 'Statement[0].NotResource: cannot stand beside'],
    ['a broken variable', statement({ Resource: 'arn:aws:s3:::a/${aws:user' }), 'malformed policy variable'],
    ['a principal', statement({ Principal: '*' }), 'Statement[0].Principal: belongs into bucket policies only'],
    ['an unknown operator', statement({ Condition: { StringIs: { 'aws:x': '1' } } }), 'is not a condition operator'],
    ['NullIfExists', statement({ Condition: { NullIfExists: { 'aws:x': 'true' } } }), 'is not a condition operator'],
    [
      'a bad date',
      statement({ Condition: { DateLessThan: { 'aws:CurrentTime': 'soon' } } }),
      'must be an ISO 8601 date',
    ],
    ['a bad number', statement({ Condition: { NumericEquals: { 's3:max-keys': 'ten' } } }), 'must be a number'],
    [
      'a bad address',
      statement({ Condition: { IpAddress: { 'aws:SourceIp': '10.0.0.0/33' } } }),
      'must be an IP address',
    ],
    [
      'a bad boolean',
      statement({ Condition: { Bool: { 'aws:SecureTransport': 'yes' } } }),
      'must be "true" or "false"',
    ],
    ['a bad ARN value', statement({ Condition: { ArnLike: { 'aws:PrincipalArn': 'alice' } } }), 'must be an ARN'],
    ['an object as a value', statement({ Condition: { StringLike: { 'aws:x': {} } } }), 'must be a value or a list'],
    ['a condition that is a list', statement({ Condition: [] }), 'Statement[0].Condition: must be an object'],
    ['a nameless key', statement({ Condition: { StringLike: { prefix: 'x' } } }), 'is not a condition key'],
    [
      'a Sid used twice',
      {
        Statement: [
          { ...ALLOW_GET, Sid: 'A' },
          { ...ALLOW_GET, Sid: 'A' },
        ],
      },
      '"A" is used twice',
    ],
  ])('refuses %s', (_, document, expected) => {
    expect(problemsOf(document).join('\n')).toContain(expected);
  });

  it('lets a bucket policy name statements alike', () => {
    const allow = { Sid: 'A', Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: 'arn:aws:s3:::b/*' };
    const policy = JSON.stringify({ Statement: [allow, { ...allow, Effect: 'Deny' }] });
    expect(parsePolicy(policy, { type: 'bucket', bucket: 'b' }).statements).toHaveLength(2);
  });

  it('reports every problem at once', () => {
    expect(problemsOf(statement({ Effect: 'Maybe', Action: 'x', Resource: 'y' }))).toHaveLength(3);
  });

  it('reads variables that never end, whatever blanks and colons they hold', () => {
    const resource = (variable: string): unknown => statement({ Resource: `arn:aws:s3:::photos/\${${variable}` });
    expect(problemsOf(resource(' '.repeat(10_000))).join()).toContain('malformed policy variable');
    expect(problemsOf(resource(`${' '.repeat(10_000)}a,'`)).join()).toContain('malformed policy variable');
    expect(problemsOf(resource(`${' '.repeat(4_000)}aws:username${' '.repeat(4_000)}}`))).toEqual([]);
    expect(problemsOf(statement({ Condition: { ArnLike: { 'aws:x': `arn${':'.repeat(15_000)}` } } }))).toEqual([]);
  });

  it('refuses a document over the size limit before reading it', () => {
    expect(problemsOf(' '.repeat(MAX_POLICY_LENGTH + 1))).toEqual([`: is longer than ${MAX_POLICY_LENGTH} characters`]);
  });

  it('lets admin and KMS statements leave the resource out', () => {
    expect(problemsOf({ Statement: { Effect: 'Allow', Action: ['admin:*', 'kms:Decrypt'] } })).toEqual([]);
    expect(problemsOf({ Statement: { Effect: 'Allow', Action: ['admin:*', 's3:*'] } })).toEqual([
      'Statement.Resource: is missing',
    ]);
  });

  describe('of a bucket', () => {
    const bucketStatement = (changes: Record<string, unknown>): unknown => statement({ Principal: '*', ...changes });

    it.each<[string, unknown]>([
      ['everyone', '*'],
      ['everyone in the long form', { AWS: '*' }],
      ['a user ARN', { AWS: ['arn:aws:iam::123456789012:user/team/alice'] }],
      ['a user ARN without account', { AWS: 'arn:aws:iam:::user/alice' }],
      ['a user name', { AWS: 'alice' }],
      ['the account', { AWS: 'arn:aws:iam::123456789012:root' }],
      ['a canonical user', { CanonicalUser: 'ab12' }],
      ['a service', { Service: 'cloudtrail.amazonaws.com' }],
    ])('accepts %s as principal', (_, principal) => {
      expect(problemsOf(bucketStatement({ Principal: principal }), BUCKET)).toEqual([]);
    });

    it.each<[string, unknown, string]>([
      ['no principal', bucketStatement({ Principal: undefined }), 'Statement[0].Principal: is missing'],
      ['an empty principal', bucketStatement({ Principal: {} }), 'Statement[0].Principal: must be "*"'],
      ['an unknown kind', bucketStatement({ Principal: { IAM: 'x' } }), 'is not a kind of principal'],
      ['a wildcard inside a user ARN', bucketStatement({ Principal: { AWS: 'arn:aws:iam:::user/*' } }), 'must be "*"'],
      ['another bucket', bucketStatement({ Resource: 'arn:aws:s3:::other/*' }), 'is outside the bucket "photos"'],
      ['every resource', bucketStatement({ Resource: '*' }), 'is outside the bucket'],
      ['KMS actions', bucketStatement({ Action: 'kms:Decrypt' }), 'cannot name KMS actions'],
      [
        'NotPrincipal with Allow',
        bucketStatement({ Principal: undefined, NotPrincipal: { AWS: 'alice' } }),
        'works with Effect "Deny" only',
      ],
    ])('refuses %s', (_, document, expected) => {
      expect(problemsOf(document, BUCKET).join('\n')).toContain(expected);
    });
  });
});
