/** Services whose ARNs may name a target, with the place of the name among the parts of the ARN. */
const NAME_AT: Readonly<Record<string, number>> = {
  'arn:minio:sqs': 4,
  'arn:aws:sqs': 5,
  'arn:aws:sns': 5,
  'arn:aws:lambda': 6,
};

/**
 * The target that an ARN names: `arn:minio:sqs::TARGET:webhook` as MinIO has it, `arn:aws:sqs:region:account:TARGET`,
 * `arn:aws:sns:region:account:TARGET` or `arn:aws:lambda:region:account:function:TARGET`.
 *
 * @returns undefined when it names none
 */
export function targetOfArn(arn: string): string | undefined {
  const parts = arn.split(':');
  const service = parts.slice(0, 3).join(':');
  const at = NAME_AT[service];
  if (at === undefined || parts.length < at + 1 || (service === 'arn:minio:sqs' && parts[5] !== 'webhook')) {
    return undefined;
  }
  return parts[at]?.toLowerCase() || undefined;
}

/** MinIO's ARN of a target. */
export function arnOfTarget(target: string): string {
  return `arn:minio:sqs::${target}:webhook`;
}
