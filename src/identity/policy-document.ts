import { IdentityError, type InputProblem } from './identity-error';
import { compilePrincipals } from './policy-principals';
import { compileResources } from './policy-resources';
import { isObject, StatementReader } from './policy-statement-reader';
import type { CompiledPolicy, CompiledStatement, PolicyKind } from './policy.types';

/** Longest document, in characters; AWS's limit for a bucket policy. */
export const MAX_POLICY_LENGTH = 20_480;
const VERSIONS = ['2012-10-17', '2008-10-17'];

/**
 * Parses and validates a policy in AWS's JSON grammar.
 *
 * Identity policies carry no principal; their statements on `admin:`, `kms:` and `sts:` actions may leave out the
 * resource, as MinIO's and RustFS's do. Bucket policies carry a principal, speak only of their own bucket and grant no KMS
 * action.
 *
 * @throws IdentityError `MalformedPolicyDocument` with every problem found
 */
export function parsePolicy(text: string, kind: PolicyKind = { type: 'identity' }): CompiledPolicy {
  // The length of a bucket policy is checked when it is set, without its blanks.
  if (kind.type === 'identity' && text.length > MAX_POLICY_LENGTH) {
    throw malformed([{ field: '', message: `is longer than ${MAX_POLICY_LENGTH} characters` }]);
  }
  const document = parseJsonObject(text);
  const problems: InputProblem[] = [];
  for (const element of Object.keys(document)) {
    if (!['Version', 'Id', 'Statement'].includes(element)) {
      problems.push({ field: element, message: 'is not an element of a policy (Version, Id, Statement)' });
    }
  }
  const version = document['Version'] ?? '2008-10-17';
  if (typeof version !== 'string' || !VERSIONS.includes(version)) {
    problems.push({ field: 'Version', message: `must be "2012-10-17"` });
  }
  if (document['Id'] !== undefined && typeof document['Id'] !== 'string') {
    problems.push({ field: 'Id', message: 'must be text' });
  }
  const statements = compileStatements(document['Statement'], version === '2012-10-17', kind, problems);
  if (problems.length > 0) {
    throw malformed(problems);
  }
  return { statements };
}

function parseJsonObject(text: string): Record<string, unknown> {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw malformed([{ field: '', message: 'is not JSON' }]);
  }
  if (!isObject(document)) {
    throw malformed([{ field: '', message: 'must be a JSON object' }]);
  }
  return document;
}

function compileStatements(
  value: unknown,
  variables: boolean,
  kind: PolicyKind,
  problems: InputProblem[],
): CompiledStatement[] {
  const statements: readonly unknown[] = Array.isArray(value) ? value : value === undefined ? [] : [value];
  if (statements.length === 0) {
    problems.push({ field: 'Statement', message: 'must hold at least one statement' });
  }
  const sids = new Set<string>();
  return statements.flatMap((statement, index) => {
    const path = Array.isArray(value) ? `Statement[${index}]` : 'Statement';
    if (!isObject(statement)) {
      problems.push({ field: path, message: 'must be an object' });
      return [];
    }
    const compiled = compileStatement(new StatementReader(statement, path, variables, problems), kind);
    const { sid } = compiled;
    // Bucket policies may name statements alike, as on S3; policies of users may not, as in IAM.
    if (kind.type === 'identity' && sid !== undefined && sid !== '' && sids.size === sids.add(sid).size) {
      problems.push({ field: `${path}.Sid`, message: `"${sid}" is used twice` });
    }
    return [compiled];
  });
}

function compileStatement(reader: StatementReader, kind: PolicyKind): CompiledStatement {
  reader.rejectUnknownElements();
  const actions = reader.readActions();
  return {
    sid: reader.readSid(),
    effect: reader.readEffect(),
    actions,
    resources: compileResources(reader, kind, actions),
    principals: compilePrincipals(reader, kind),
    conditions: reader.readConditions(),
  };
}

function malformed(problems: readonly InputProblem[]): IdentityError {
  const first = problems[0];
  const where = first?.field === '' || first === undefined ? 'The policy' : first.field;
  return new IdentityError('MalformedPolicyDocument', `${where} ${first?.message ?? 'is malformed'}`, problems);
}
