import fc from 'fast-check';
import { ANONYMOUS, type AccessRequest, type ConditionValue, type Principal } from './identity.types';
import { parsePolicy } from './policy-document';
import { evaluateAccess, type NamedPolicy, type PolicySet } from './policy-evaluator';

const ALICE: Principal = { kind: 'user', name: 'alice', accessKeyId: 'AK', ownerId: 'owner-alice' };

type Statement = Readonly<Record<string, unknown>>;

function policy(statements: Statement | Statement[], name = 'p', version = '2012-10-17'): NamedPolicy {
  return { name, policy: parsePolicy(JSON.stringify({ Version: version, Statement: statements })) };
}

function bucketPolicy(statements: Statement | Statement[]): NamedPolicy {
  const document = JSON.stringify({ Version: '2012-10-17', Statement: statements });
  return { name: 'bucket-policy', policy: parsePolicy(document, { type: 'bucket', bucket: 'photos' }) };
}

function request(changes: Partial<AccessRequest> = {}): AccessRequest {
  return {
    principal: ALICE,
    action: 's3:GetObject',
    resource: 'arn:aws:s3:::photos/cat.jpg',
    conditions: {},
    ...changes,
  };
}

function allowed(statements: Statement | Statement[], changes: Partial<AccessRequest> = {}): boolean {
  return evaluateAccess(request(changes), { identityPolicies: [policy(statements)] }).allowed;
}

const ALLOW = { Effect: 'Allow', Action: 's3:*', Resource: '*' };
const DENY = { Effect: 'Deny', Action: 's3:*', Resource: '*' };

describe('evaluateAccess', () => {
  it('refuses without any policy', () => {
    expect(evaluateAccess(request(), { identityPolicies: [] })).toEqual({ allowed: false, reason: 'implicit-deny' });
  });

  it('names the policy that allowed or denied', () => {
    const allow = policy(ALLOW, 'open');
    const deny = policy(DENY, 'shut');
    expect(evaluateAccess(request(), { identityPolicies: [allow] }).reason).toBe('allow:open');
    expect(evaluateAccess(request(), { identityPolicies: [allow, deny] }).reason).toBe('explicit-deny:shut');
  });

  describe('actions and resources', () => {
    it.each<[string, Statement, Partial<AccessRequest>, boolean]>([
      ['an action in another case', { ...ALLOW, Action: 'S3:getobject' }, {}, true],
      ['an action wildcard', { ...ALLOW, Action: 's3:Get*' }, { action: 's3:GetObjectTagging' }, true],
      ['another service', { ...ALLOW, Action: 's3:*' }, { action: 'kms:Decrypt' }, false],
      ['NotAction', { ...ALLOW, Action: undefined, NotAction: 's3:Delete*' }, {}, true],
      ['NotAction of the action', { ...ALLOW, Action: undefined, NotAction: 's3:Get*' }, {}, false],
      ['a resource in another case', { ...ALLOW, Resource: 'arn:aws:s3:::PHOTOS/*' }, {}, false],
      ['the bucket alone', { ...ALLOW, Resource: 'arn:aws:s3:::photos' }, {}, false],
      ['a question mark', { ...ALLOW, Resource: 'arn:aws:s3:::photos/c?t.jpg' }, {}, true],
      [
        'a star over slashes',
        { ...ALLOW, Resource: 'arn:aws:s3:::photos/*.jpg' },
        { resource: 'arn:aws:s3:::photos/a/b.jpg' },
        true,
      ],
      [
        'NotResource of the resource',
        { ...ALLOW, Resource: undefined, NotResource: 'arn:aws:s3:::photos/*' },
        {},
        false,
      ],
      ['NotResource of another', { ...ALLOW, Resource: undefined, NotResource: 'arn:aws:s3:::other/*' }, {}, true],
      [
        'an emoji as one character',
        { ...ALLOW, Resource: 'arn:aws:s3:::photos/?' },
        { resource: 'arn:aws:s3:::photos/😀' },
        true,
      ],
    ])('%s', (_, statement, changes, expected) => {
      expect(allowed(statement, changes)).toBe(expected);
    });

    it('takes MinIO and RustFS spellings of a key for the same', () => {
      const minio = { Effect: 'Allow', Action: 'kms:Decrypt', Resource: 'arn:minio:kms:::tenant-*' };
      const rustfs = { Effect: 'Allow', Action: 'kms:Decrypt', Resource: 'arn:aws:kms:::key/tenant-*' };
      for (const resource of ['arn:aws:kms:::key/tenant-1', 'arn:minio:kms:::tenant-1']) {
        expect(allowed(minio, { action: 'kms:Decrypt', resource })).toBe(true);
        expect(allowed(rustfs, { action: 'kms:Decrypt', resource })).toBe(true);
      }
      expect(allowed(minio, { action: 'kms:Decrypt', resource: 'arn:aws:kms:::key/other' })).toBe(false);
    });
  });

  describe('conditions', () => {
    const holds = (operator: string, wanted: unknown, actual: ConditionValue | undefined): boolean =>
      allowed({ ...ALLOW, Condition: { [operator]: { 'aws:x': wanted } } }, { conditions: { 'AWS:X': actual } });

    it.each<[string, unknown, ConditionValue | undefined, boolean]>([
      ['StringEquals', 'a', 'a', true],
      ['StringEquals', ['a', 'b'], 'b', true],
      ['StringEquals', 'a', 'A', false],
      ['StringEquals', 'a*', 'ab', false],
      ['StringEquals', 'a', undefined, false],
      ['StringEqualsIfExists', 'a', undefined, true],
      ['StringEqualsIfExists', 'a', 'b', false],
      ['StringNotEquals', ['a', 'b'], 'c', true],
      ['StringNotEquals', ['a', 'b'], 'b', false],
      ['StringNotEquals', 'a', undefined, true],
      ['StringEqualsIgnoreCase', 'ÄB', 'äb', true],
      ['StringNotEqualsIgnoreCase', 'ab', 'AB', false],
      ['StringLike', 'home/*', 'home/alice', true],
      ['StringLike', 'home/?', 'home/alice', false],
      ['StringNotLike', 'home/*', 'work/x', true],
      ['NumericEquals', 10, '10.0', true],
      ['NumericNotEquals', 10, '11', true],
      ['NumericLessThan', '10', '10', false],
      ['NumericLessThanEquals', '10', '10', true],
      ['NumericGreaterThan', '9', '10', true],
      ['NumericGreaterThanEquals', '10', '9', false],
      ['NumericLessThan', '10', 'many', false],
      ['DateLessThan', '2030-01-01T00:00:00Z', '2026-11-23T12:00:00Z', true],
      ['DateGreaterThan', '2030-01-01', '2026-11-23T12:00:00Z', false],
      ['DateEquals', '1700000000', '2023-11-14T22:13:20Z', true],
      ['DateNotEquals', '1700000000', '1700000001', true],
      ['DateLessThanEquals', '1700000000', '1700000000', true],
      ['DateGreaterThanEquals', '1700000001', '1700000000', false],
      ['Bool', true, 'true', true],
      ['Bool', 'false', 'true', false],
      ['Bool', 'false', undefined, false],
      ['BoolIfExists', 'false', undefined, true],
      ['BinaryEquals', 'QUI=', 'QUI=', true],
      ['BinaryEquals', 'QUI=', 'QUM=', false],
      ['IpAddress', '203.0.113.0/24', '203.0.113.9', true],
      ['IpAddress', '203.0.113.0/24', '::ffff:203.0.113.9', true],
      ['IpAddress', '203.0.113.7', '203.0.113.9', false],
      ['IpAddress', '2001:db8::/32', '2001:db8:1::1', true],
      ['IpAddress', '2001:db8::/32', '203.0.113.9', false],
      ['IpAddress', '0.0.0.0/0', 'nonsense', false],
      ['NotIpAddress', ['10.0.0.0/8', '192.168.0.0/16'], '10.1.1.1', false],
      ['NotIpAddress', ['10.0.0.0/8', '192.168.0.0/16'], '203.0.113.9', true],
      ['ArnLike', 'arn:aws:iam::*:user/a*', 'arn:aws:iam::123456789012:user/alice', true],
      ['ArnEquals', 'arn:aws:iam::*:user/alice', 'arn:aws:iam::123456789012:user/alice', true],
      ['ArnLike', 'arn:aws:*:::user/alice', 'arn:aws:iam::123456789012:user/alice', false],
      ['ArnNotLike', 'arn:aws:iam::*:user/a*', 'arn:aws:iam::123456789012:user/bob', true],
      ['ArnNotEquals', 'arn:aws:iam::*:user/bob', 'arn:aws:iam::123456789012:user/bob', false],
      ['Null', 'true', undefined, true],
      ['Null', 'true', 'x', false],
      ['Null', 'false', 'x', true],
      ['Null', false, undefined, false],
      ['ForAnyValue:StringEquals', ['a', 'b'], ['x', 'b'], true],
      ['ForAnyValue:StringEquals', ['a', 'b'], ['x', 'y'], false],
      ['ForAnyValue:StringEquals', 'a', undefined, false],
      ['ForAllValues:StringEquals', ['a', 'b'], ['a', 'b'], true],
      ['ForAllValues:StringEquals', ['a', 'b'], ['a', 'c'], false],
      ['ForAllValues:StringEquals', 'a', undefined, true],
      ['ForAllValues:StringNotEquals', 'a', ['b', 'c'], true],
      ['ForAllValues:StringNotEquals', 'a', ['b', 'a'], false],
      ['ForAnyValue:StringNotEquals', 'a', ['b', 'a'], true],
      ['ForAllValues:StringLikeIfExists', 'a*', ['ab'], true],
    ])('%s %j against %j is %s', (operator, wanted, actual, expected) => {
      expect(holds(operator, wanted, actual)).toBe(expected);
    });

    it('needs every operator and every key to hold', () => {
      const both = { ...ALLOW, Condition: { StringEquals: { 'aws:a': '1', 'aws:b': '2' }, Bool: { 'aws:c': 'true' } } };
      const conditions = { 'aws:a': '1', 'aws:b': '2', 'aws:c': 'true' };
      expect(allowed(both, { conditions })).toBe(true);
      for (const key of Object.keys(conditions)) {
        expect(allowed(both, { conditions: { ...conditions, [key]: 'other' } })).toBe(false);
      }
    });
  });

  describe('policy variables', () => {
    const home = { ...ALLOW, Resource: 'arn:aws:s3:::photos/${aws:username}/*' };
    const at = (key: string, username?: string): Partial<AccessRequest> => ({
      resource: `arn:aws:s3:::photos/${key}`,
      conditions: { 'aws:username': username },
    });

    it('stand for the value of the request', () => {
      expect(allowed(home, at('alice/x', 'alice'))).toBe(true);
      expect(allowed(home, at('bob/x', 'alice'))).toBe(false);
    });

    it('never act as wildcards', () => {
      expect(allowed(home, at('bob/x', '*'))).toBe(false);
      expect(allowed(home, at('*/x', '*'))).toBe(true);
    });

    it('match nothing when the request lacks the value, and fail towards refusal when inverted', () => {
      expect(allowed(home, at('x/y'))).toBe(false);
      const inverted = { Action: 's3:*', NotResource: 'arn:aws:s3:::photos/${aws:username}/*' };
      expect(allowed({ Effect: 'Allow', ...inverted }, at('x/y'))).toBe(false);
      expect(allowed([ALLOW, { Effect: 'Deny', ...inverted }], at('x/y'))).toBe(false);
      const condition = { Condition: { StringNotEquals: { 's3:prefix': '${aws:username}' } } };
      const prefixed = { conditions: { 's3:prefix': 'p' } };
      expect(allowed({ ...ALLOW, ...condition }, prefixed)).toBe(false);
      expect(allowed([ALLOW, { ...DENY, ...condition }], prefixed)).toBe(false);
    });

    it('take a default', () => {
      const statement = { ...ALLOW, Resource: "arn:aws:s3:::photos/${aws:username, 'guest'}/*" };
      expect(allowed(statement, at('guest/x'))).toBe(true);
    });

    it('escape wildcards and the dollar sign', () => {
      const statement = { ...ALLOW, Resource: 'arn:aws:s3:::photos/${*}${?}${$}' };
      expect(allowed(statement, at('*?$'))).toBe(true);
      expect(allowed(statement, at('ab$'))).toBe(false);
    });

    it('are literal text in documents of 2008', () => {
      const old = policy(home, 'old', '2008-10-17');
      expect(evaluateAccess(request(at('alice/x', 'alice')), { identityPolicies: [old] }).allowed).toBe(false);
      expect(evaluateAccess(request(at('${aws:username}/x')), { identityPolicies: [old] }).allowed).toBe(true);
    });
  });

  describe('bucket policies', () => {
    const photos = { Action: 's3:GetObject', Resource: 'arn:aws:s3:::photos/*' };
    const decide = (statement: Statement, principal: Principal, own: Statement[] = []): boolean =>
      evaluateAccess(request({ principal }), {
        identityPolicies: own.map((item) => policy(item)),
        bucketPolicy: bucketPolicy(statement),
      }).allowed;

    it.each<[string, unknown, Principal, boolean]>([
      ['everyone', '*', ANONYMOUS, true],
      ['everyone in the long form', { AWS: '*' }, ANONYMOUS, true],
      ['the user by ARN', { AWS: 'arn:aws:iam::123456789012:user/alice' }, ALICE, true],
      ['the user by name', { AWS: ['bob', 'alice'] }, ALICE, true],
      ['the user by canonical id', { CanonicalUser: 'owner-alice' }, ALICE, true],
      ['another user', { AWS: 'bob' }, ALICE, false],
      ['a user called anonymous', { AWS: 'anonymous' }, ANONYMOUS, false],
      ['the account, which only delegates', { AWS: 'arn:aws:iam::123456789012:root' }, ALICE, false],
      ['a service', { Service: 'alice' }, ALICE, false],
    ])('allow %s', (_, principal, caller, expected) => {
      expect(decide({ Effect: 'Allow', Principal: principal, ...photos }, caller)).toBe(expected);
    });

    it('deny over an identity policy that allows', () => {
      expect(decide({ Effect: 'Deny', Principal: { AWS: 'alice' }, ...photos }, ALICE, [ALLOW])).toBe(false);
      expect(decide({ Effect: 'Deny', Principal: { AWS: 'bob' }, ...photos }, ALICE, [ALLOW])).toBe(true);
      expect(decide({ Effect: 'Deny', Principal: { AWS: '123456789012' }, ...photos }, ALICE, [ALLOW])).toBe(false);
    });

    it('deny all but the named with NotPrincipal', () => {
      const statement = { Effect: 'Deny', NotPrincipal: { AWS: 'alice' }, ...photos };
      expect(decide(statement, ALICE, [ALLOW])).toBe(true);
      expect(decide(statement, { ...ALICE, name: 'bob', ownerId: 'b' }, [ALLOW])).toBe(false);
    });
  });

  describe('session policies', () => {
    const session = policy({ ...ALLOW, Action: 's3:GetObject' }, 'session');

    it('narrow what the parent may do', () => {
      const policies = { identityPolicies: [policy(ALLOW)], sessionPolicies: [[session]] };
      expect(evaluateAccess(request(), policies).allowed).toBe(true);
      expect(evaluateAccess(request({ action: 's3:PutObject' }), policies).allowed).toBe(false);
    });

    it('grant nothing by themselves', () => {
      expect(evaluateAccess(request(), { identityPolicies: [], sessionPolicies: [[session]] }).allowed).toBe(false);
    });

    it('must allow on every level, by one policy of it, and deny on none', () => {
      const narrow = (...sessionPolicies: PolicySet['sessionPolicies'] & object): string =>
        evaluateAccess(request(), { identityPolicies: [policy(ALLOW)], sessionPolicies }).reason;
      const other = policy({ ...ALLOW, Action: 's3:PutObject' }, 'other');
      const denial = policy({ ...ALLOW, Effect: 'Deny' }, 'denial');
      expect(narrow([other, session], [session])).toMatch(/^allow:/);
      expect(narrow([other], [session])).toBe('implicit-deny:session-policy');
      expect(narrow([session], [other])).toBe('implicit-deny:session-policy');
      expect(narrow([])).toBe('implicit-deny:session-policy');
      // A denial is told as one even where another level would refuse anyway.
      expect(narrow([other], [session, denial])).toBe('explicit-deny:denial');
    });

    it('narrow an access key of root', () => {
      const policies = { identityPolicies: [], unlimited: true, sessionPolicies: [[session]] };
      expect(evaluateAccess(request(), policies)).toEqual({ allowed: true, reason: 'root' });
      expect(evaluateAccess(request({ action: 's3:PutObject' }), policies).allowed).toBe(false);
    });
  });
});

describe('properties of evaluation', () => {
  const actions = fc.constantFrom('s3:GetObject', 's3:PutObject', 's3:*', 's3:Get*', '*', 'kms:Decrypt');
  const resources = fc.constantFrom('*', 'arn:aws:s3:::*', 'arn:aws:s3:::a/*', 'arn:aws:s3:::a/b?', 'arn:aws:s3:::b');
  const statements = fc.record({
    Effect: fc.constantFrom('Allow', 'Deny'),
    Action: fc.uniqueArray(actions, { minLength: 1, maxLength: 3 }),
    Resource: fc.uniqueArray(resources, { minLength: 1, maxLength: 3 }),
  });
  const documents = fc.array(fc.array(statements, { minLength: 1, maxLength: 4 }), { maxLength: 4 });
  const requests = fc.record({
    action: fc.constantFrom('s3:GetObject', 's3:PutObject', 's3:DeleteObject', 'kms:Decrypt'),
    resource: fc.constantFrom('arn:aws:s3:::a/b1', 'arn:aws:s3:::a/c/d', 'arn:aws:s3:::b', 'arn:aws:kms:::key/k'),
  });
  const decide = (sets: Statement[][], changes: Partial<AccessRequest>): boolean =>
    evaluateAccess(request(changes), { identityPolicies: sets.map((set) => policy(set)) }).allowed;

  it('a matching Deny wins wherever it stands', () => {
    fc.assert(
      fc.property(documents, requests, fc.nat(), (sets, asked, position) => {
        const deny = [{ Effect: 'Deny', Action: asked.action, Resource: asked.resource }];
        const index = position % (sets.length + 1);
        expect(decide([...sets.slice(0, index), deny, ...sets.slice(index)], asked)).toBe(false);
      }),
    );
  });

  it('neither order nor repetition changes the decision', () => {
    fc.assert(
      fc.property(documents, requests, (sets, asked) => {
        const reversed = [...sets].reverse().map((set) => [...set].reverse());
        expect(decide(reversed, asked)).toBe(decide(sets, asked));
        expect(decide([...sets, ...sets], asked)).toBe(decide(sets, asked));
      }),
    );
  });

  it('another Allow never takes a permission away, another Deny never gives one', () => {
    fc.assert(
      fc.property(documents, requests, statements, (sets, asked, extra) => {
        const before = decide(sets, asked);
        const after = decide([...sets, [extra]], asked);
        expect(extra.Effect === 'Allow' ? after || !before : before || !after).toBe(true);
      }),
    );
  });

  it('a session policy only narrows', () => {
    fc.assert(
      fc.property(documents, fc.array(statements, { minLength: 1, maxLength: 3 }), requests, (sets, session, asked) => {
        const identityPolicies = sets.map((set) => policy(set));
        const narrowed = evaluateAccess(request(asked), {
          identityPolicies,
          sessionPolicies: [[policy(session)]],
        }).allowed;
        expect(!narrowed || decide(sets, asked)).toBe(true);
      }),
    );
  });

  it('a wildcard pattern matches as the regular expression of the same meaning does', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 8 });
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '/', '*', '?'), minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(pattern, text, (wanted, actual) => {
        const oracle = new RegExp(`^${wanted.replaceAll('*', '.*').replaceAll('?', '.')}$`, 's').test(actual);
        const asked = { resource: `arn:aws:s3:::x${actual}` };
        expect(allowed({ ...ALLOW, Resource: `arn:aws:s3:::x${wanted}` }, asked)).toBe(oracle);
      }),
      { numRuns: 500 },
    );
  });

  it('a hostile pattern costs no more than pattern times value', () => {
    const started = performance.now();
    const hostile = { ...ALLOW, Resource: `arn:aws:s3:::${'*a'.repeat(2000)}b` };
    expect(allowed(hostile, { resource: `arn:aws:s3:::${'a'.repeat(1024)}` })).toBe(false);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});
