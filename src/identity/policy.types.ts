import type { CompiledCondition } from './policy-conditions';
import type { TextPattern } from './policy-pattern';

/** Who a statement of a bucket policy speaks of. */
export interface CompiledPrincipals {
  readonly inverted: boolean;
  /** `*`: everyone, anonymous callers included. */
  readonly everyone: boolean;
  /** The account itself; in a Deny every authenticated caller, in an Allow nobody by itself. */
  readonly account: boolean;
  readonly userNames: ReadonlySet<string>;
  readonly ownerIds: ReadonlySet<string>;
}

/** An identity policy says what its holder may do; a bucket policy says who may do what to one bucket. */
export type PolicyKind = { readonly type: 'identity' } | { readonly type: 'bucket'; readonly bucket: string };

/** A positive list (`Action`) or an inverted one (`NotAction`). */
export interface PatternList {
  readonly inverted: boolean;
  readonly patterns: readonly TextPattern[];
}

/** One statement, ready for evaluation. */
export interface CompiledStatement {
  readonly sid: string | undefined;
  readonly effect: 'Allow' | 'Deny';
  readonly actions: PatternList;
  readonly resources: PatternList;
  /** Present in bucket policies only. */
  readonly principals: CompiledPrincipals | undefined;
  readonly conditions: readonly CompiledCondition[];
}

/** A parsed, validated policy, ready for evaluation. */
export interface CompiledPolicy {
  readonly statements: readonly CompiledStatement[];
}
