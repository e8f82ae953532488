import { type Conditions, lockConditions, tagConditions } from './access-conditions';
import type { S3Call } from './s3-call';
import { S3Error } from './s3-error';
import { parseXml, type XmlElement } from './xml';

/** What policies may judge in the document of an operation. */
interface BodyKeys {
  /** How the condition keys begin, in lower case. */
  readonly prefix: string;
  /** Largest document that the operation takes, in bytes. */
  readonly limit: number;
  readonly root: string;
  readonly read: (document: XmlElement) => Conditions;
}

const KIB = 1024;

const BODY_KEYS: Readonly<Record<string, BodyKeys>> = {
  PutObjectTagging: {
    prefix: 's3:requestobjecttag',
    limit: 256 * KIB,
    root: 'Tagging',
    read: (document) =>
      tagConditions(
        (document.child('TagSet')?.all('Tag') ?? []).map(
          (tag) => [tag.required('Key'), tag.required('Value')] as const,
        ),
      ),
  },
  PutObjectRetention: {
    prefix: 's3:object-lock-',
    limit: 64 * KIB,
    root: 'Retention',
    read: (document) => lockConditions({ mode: document.textOf('Mode'), until: document.textOf('RetainUntilDate') }),
  },
  PutObjectLegalHold: {
    prefix: 's3:object-lock-',
    limit: 64 * KIB,
    root: 'LegalHold',
    read: (document) => lockConditions({ legalHold: document.textOf('Status') }),
  },
  CreateBucket: {
    prefix: 's3:locationconstraint',
    limit: 64 * KIB,
    root: 'CreateBucketConfiguration',
    read: (document) => ({ 's3:locationconstraint': document.textOf('LocationConstraint') }),
  },
};

/** How condition keys begin that only the body of this call tells, in lower case; undefined when it tells none. */
export function bodyKeyPrefix(call: S3Call): string | undefined {
  return BODY_KEYS[call.route.operation]?.prefix;
}

/**
 * Reads the body of a call for the condition keys in it. A document that is not understood has none; the operation then says
 * so to whoever is allowed it all the same.
 * @throws S3Error for a body that is too large, cut or not what was signed
 */
export async function bodyConditions(call: S3Call): Promise<Conditions> {
  const keys = BODY_KEYS[call.route.operation];
  if (keys === undefined) {
    return {};
  }
  const body = await call.body.readOptional(keys.limit);
  try {
    return body.length === 0 ? {} : keys.read(parseXml(body, keys.root));
  } catch (error) {
    if (error instanceof S3Error) {
      return {};
    }
    throw error;
  }
}
