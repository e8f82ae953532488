import { callPolicy, type ProviderKind } from '../provider-kind';
import { AWS_FIELDS, awsSettings, validateAwsSettings } from './aws-settings';
import { AwsProvider } from './aws.provider';

/** `kms_aws`: AWS Key Management Service. */
export const AWS_KIND: ProviderKind = {
  subsystem: 'kms_aws',
  type: 'aws',
  description: 'AWS Key Management Service',
  multipleTargets: true,
  fields: AWS_FIELDS,
  validate: validateAwsSettings,
  create: (kms, values) => new AwsProvider(kms, awsSettings(values)),
  policy: (values) => callPolicy(awsSettings(values)),
};
