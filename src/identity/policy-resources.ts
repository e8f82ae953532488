import { canonicalResource } from './policy-arn';
import { compilePattern } from './policy-pattern';
import type { StatementReader } from './policy-statement-reader';
import type { PatternList, PolicyKind } from './policy.types';

/** Services whose statements may leave the resource out, which means every resource. */
const RESOURCE_OPTIONAL = /^(admin|kms|sts):/i;

const EVERYTHING: PatternList = {
  inverted: false,
  patterns: [compilePattern('*', { wildcards: true, variables: false })],
};

/** Reads `Resource` or `NotResource` of a statement, and checks what a bucket policy may speak of. */
export function compileResources(reader: StatementReader, kind: PolicyKind, actions: PatternList): PatternList {
  if (kind.type === 'bucket' && actions.patterns.some((action) => /^kms:/i.test(action.source))) {
    reader.complain(actions.inverted ? 'NotAction' : 'Action', 'cannot name KMS actions in a bucket policy');
  }
  const element = reader.oneOf('Resource', 'NotResource');
  if (element === undefined) {
    const optional =
      kind.type === 'identity' &&
      actions.patterns.length > 0 &&
      actions.patterns.every((action) => RESOURCE_OPTIONAL.test(action.source));
    if (!optional) {
      reader.complain('Resource', 'is missing');
    }
    return EVERYTHING;
  }
  const patterns = reader.texts(element).map((resource) => {
    if (resource !== '*' && !/^arn:[^:]+:[^:]*:[^:]*:[^:]*:.+$/s.test(resource)) {
      reader.complain(element, `"${resource}" must be "*" or an ARN such as "arn:aws:s3:::bucket/*"`);
    } else if (kind.type === 'bucket' && !belongsTo(kind.bucket, resource)) {
      reader.complain(element, `"${resource}" is outside the bucket "${kind.bucket}"`);
    }
    return reader.readPattern(element, canonicalResource(resource));
  });
  return { inverted: element === 'NotResource', patterns };
}

/** AWS refuses a bucket policy whose resource could not be the bucket or an object in it. */
function belongsTo(bucket: string, resource: string): boolean {
  const path = /^arn:(?:aws|minio):s3:::(.+)$/s.exec(resource)?.[1];
  if (path === undefined) {
    return false;
  }
  const bucketPart = path.split('/', 1)[0] ?? '';
  return compilePattern(bucketPart, { wildcards: true, variables: false }).matches(bucket, () => undefined) === true;
}
