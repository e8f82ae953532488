import type { FieldDefinition, FieldProblem, FieldValues } from '../config/subsystem';
import type { CallPolicyOptions } from './kms-call-policy';
import { DEFAULT_CALL_POLICY } from './kms-call-policy';
import type { KmsProvider } from './kms-provider';

/** One kind of provider and how its configuration document becomes an instance. */
export interface ProviderKind {
  /** `kms_` and the type. */
  readonly subsystem: string;
  readonly type: string;
  readonly description: string;
  /** False when only the target `default` may exist. */
  readonly multipleTargets: boolean;
  readonly fields: readonly FieldDefinition[];
  /** Returns every problem of a document at once. */
  validate(values: FieldValues): Promise<readonly FieldProblem[]>;
  /** @param kms `<type>:<target>`, for messages; connects to nothing */
  create(kms: string, values: FieldValues): KmsProvider;
  policy(values: FieldValues): CallPolicyOptions;
}

/** The usual call policy with the time limit (milliseconds) and retries that a target asks for. */
export function callPolicy({ timeout, maxRetries }: { timeout: number; maxRetries: number }): CallPolicyOptions {
  return {
    ...DEFAULT_CALL_POLICY,
    attemptTimeout: timeout,
    maxRetries,
    deadline: Math.max(DEFAULT_CALL_POLICY.deadline, timeout),
  };
}
