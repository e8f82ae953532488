import { SetMetadata, type CustomDecorator } from '@nestjs/common';

/** What the guard asks for before a handler runs. */
export interface RequiredAction {
  /** Names of which one must be allowed and none may be denied; empty means any authenticated caller. */
  readonly actions: readonly string[];
  /** `key`: the KMS key that the request names; `deferred`: the handler asks for each thing it touches. */
  readonly resource: 'all' | 'key' | 'deferred';
}

export const REQUIRED_ACTION = Symbol('required-action');

/**
 * The IAM action of an admin route. Where MinIO and RustFS name the same action differently, all names are given.
 * A handler without this decorator (or {@link AnyCaller}) refuses everyone.
 */
export function RequiresAction(...actions: readonly [string, ...string[]]): CustomDecorator<symbol> {
  return SetMetadata(REQUIRED_ACTION, { actions, resource: 'all' } satisfies RequiredAction);
}

/** Like {@link RequiresAction}, for the key in the `key-id` parameter or `key_id` member of the request. */
export function RequiresKeyAction(...actions: readonly [string, ...string[]]): CustomDecorator<symbol> {
  return SetMetadata(REQUIRED_ACTION, { actions, resource: 'key' } satisfies RequiredAction);
}

/** Lets every authenticated caller in; the handler itself asks what may be shown or done. */
export function AnyCaller(): CustomDecorator<symbol> {
  return SetMetadata(REQUIRED_ACTION, { actions: [], resource: 'deferred' } satisfies RequiredAction);
}
