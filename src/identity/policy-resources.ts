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
    } else if (kind.type === 'bucket' && resourceKinds(kind.bucket, resource).length === 0) {
      reader.complain(element, `"${resource}" is outside the bucket "${kind.bucket}"`);
    }
    return reader.readPattern(element, canonicalResource(resource));
  });
  return { inverted: element === 'NotResource', patterns };
}

/**
 * What a resource of a bucket's policy can mean: the bucket, objects in it, or both. AWS refuses a policy whose resource
 * could be neither, for which there is no kind.
 */
export function resourceKinds(bucket: string, resource: string): ('bucket' | 'object')[] {
  const path = /^arn:(?:aws|minio):s3:::(.+)$/s.exec(resource)?.[1];
  if (path === undefined) {
    return [];
  }
  const bucketPart = path.split('/', 1)[0] ?? '';
  const pattern = compilePattern(bucketPart, { wildcards: true, variables: false });
  if (pattern.matches(bucket, () => undefined) !== true) {
    return [];
  }
  if (bucketPart !== path) {
    return ['object'];
  }
  return path.includes('*') ? ['bucket', 'object'] : ['bucket'];
}
