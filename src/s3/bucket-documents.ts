/** Names under which the bucket service keeps the documents of sub-resources. */
export const POLICY_DOCUMENT = 'policy';
export const PUBLIC_ACCESS_DOCUMENT = 'publicAccessBlock';
export const TAGGING_DOCUMENT = 'tagging';
export const CORS_DOCUMENT = 'cors';
export const LOGGING_DOCUMENT = 'logging';
export const REQUEST_PAYMENT_DOCUMENT = 'requestPayment';

export const PUBLIC_ACCESS_SETTINGS = [
  'BlockPublicAcls',
  'IgnorePublicAcls',
  'BlockPublicPolicy',
  'RestrictPublicBuckets',
] as const;

/** The public access block of a bucket: four switches. */
export type PublicAccessBlock = Readonly<Record<(typeof PUBLIC_ACCESS_SETTINGS)[number], boolean>>;

/** Reads a stored public access block; all off when there is none. */
export function publicAccessBlock(document: string | undefined): PublicAccessBlock {
  const stored = (document === undefined ? {} : JSON.parse(document)) as Partial<PublicAccessBlock>;
  return {
    BlockPublicAcls: stored.BlockPublicAcls === true,
    IgnorePublicAcls: stored.IgnorePublicAcls === true,
    BlockPublicPolicy: stored.BlockPublicPolicy === true,
    RestrictPublicBuckets: stored.RestrictPublicBuckets === true,
  };
}
