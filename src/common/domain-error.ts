/** Options of a {@link DomainError}. */
export interface DomainErrorOptions {
  /** Machine-readable facts for the error answer (S3 XML elements, problem-body members). Never secrets. */
  readonly details?: Readonly<Record<string, string>>;
  /** What the operator or caller can do about it. */
  readonly remedy?: string;
  /** Whether the same call may succeed later without any change. */
  readonly retryable?: boolean;
  readonly cause?: unknown;
}

/**
 * The base of every expected failure. It knows nothing of any transport: `kind` is a stable code that the S3 error table
 * and the admin problem filter translate, and `message` is safe to show to a caller.
 */
export class DomainError extends Error {
  readonly details: Readonly<Record<string, string>>;
  readonly remedy: string | undefined;
  readonly retryable: boolean;

  constructor(
    readonly kind: string,
    message: string,
    options: DomainErrorOptions = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.details = options.details ?? {};
    this.remedy = options.remedy;
    this.retryable = options.retryable ?? false;
  }
}
