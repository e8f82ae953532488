import { StsError } from './sts-error';

/** AWS's limit for the plain text of a session policy, in characters. */
const MAX_POLICY_LENGTH = 2048;
const MAX_POLICY_ARNS = 10;
const SESSION_NAME = /^[\w+=,.@-]{2,64}$/;
const ARN = /^arn:[\w+=/,.@:*-]{1,2044}$/;

/** What these would change is not kept of a session, so a request that relies on them must not succeed without. */
const NOT_OFFERED: readonly (readonly [RegExp, string])[] = [
  [/^(Tags|TransitiveTagKeys)\.member\./, 'Session tags are not supported'],
  [/^(SerialNumber|TokenCode)$/, 'Multi-factor authentication is not supported'],
  [/^SourceIdentity$/, 'A source identity is not supported'],
];

/** The parameters of one request, from its form or its query. */
export class StsParameters {
  constructor(private readonly values: URLSearchParams) {}

  get action(): string {
    return this.values.get('Action') ?? '';
  }

  get version(): string {
    return this.values.get('Version') ?? '';
  }

  /** A parameter; undefined when it is absent or empty. */
  text(name: string): string | undefined {
    return this.values.get(name) || undefined;
  }

  /** @throws StsError ValidationError unless it is a whole number of seconds within the bounds, both inclusive */
  duration(least: number, most: number, usual: number): number {
    const text = this.text('DurationSeconds');
    if (text === undefined) {
      return usual;
    }
    const seconds = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (!(seconds >= least && seconds <= most)) {
      throw invalid(text, 'durationSeconds', `Member must have value between ${least} and ${most}`);
    }
    return seconds;
  }

  /** @throws StsError ValidationError */
  sessionName(): string | undefined {
    const name = this.text('RoleSessionName');
    if (name !== undefined && !SESSION_NAME.test(name)) {
      throw invalid(name, 'roleSessionName', 'Member must satisfy regular expression pattern: [\\w+=,.@-]{2,64}');
    }
    return name;
  }

  /** @throws StsError ValidationError */
  roleArn(): string | undefined {
    const arn = this.text('RoleArn');
    if (arn !== undefined && !ARN.test(arn)) {
      throw invalid(arn, 'roleArn', 'Member must be an ARN');
    }
    return arn;
  }

  /** The inline session policy as it was sent. @throws StsError ValidationError */
  policy(): string | undefined {
    const policy = this.text('Policy');
    if (policy !== undefined && policy.length > MAX_POLICY_LENGTH) {
      throw invalid('...', 'policy', `Member must have length less than or equal to ${MAX_POLICY_LENGTH}`);
    }
    return policy;
  }

  /** @throws StsError ValidationError */
  policyArns(): string[] {
    const arns = [...this.values].filter(([name]) => /^PolicyArns\.member\.\d+\.arn$/.test(name)).map(([, arn]) => arn);
    if (arns.length > MAX_POLICY_ARNS) {
      throw invalid('...', 'policyArns', `Member must have length less than or equal to ${MAX_POLICY_ARNS}`);
    }
    const odd = arns.find((arn) => !ARN.test(arn));
    if (odd !== undefined) {
      throw invalid(odd, 'policyArns', 'Member must be an ARN');
    }
    return arns;
  }

  /** @throws StsError ValidationError for parameters that would have to be obeyed and are not */
  refuseNotOffered(): void {
    for (const name of this.values.keys()) {
      const found = NOT_OFFERED.find(([pattern]) => pattern.test(name));
      if (found !== undefined) {
        throw new StsError('ValidationError', `${found[1]} (${name})`);
      }
    }
  }
}

function invalid(value: string, name: string, constraint: string): StsError {
  const shown = value.slice(0, 64);
  return new StsError(
    'ValidationError',
    `1 validation error detected: Value '${shown}' at '${name}' failed to satisfy constraint: ${constraint}`,
  );
}
