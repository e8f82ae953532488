import type { FieldValues } from '../../src/config/subsystem';
import { awsSettings } from '../../src/kms/providers/aws-settings';
import { AwsProvider } from '../../src/kms/providers/aws.provider';
import { startAwsKmsServer } from '../fakes/aws-kms-server';
import { describeKmsProvider } from './kms-provider.contract';
import { pinnedCapabilities } from './provider-pins';

const CAPABILITIES = pinnedCapabilities('aws');

describeKmsProvider('AWS KMS, scripted', CAPABILITIES, async () => {
  const fake = await startAwsKmsServer();
  fake.createKey('default-key');
  const values: FieldValues = {
    region: fake.region,
    endpoint: fake.url,
    access_key: fake.accessKey,
    secret_key: fake.secretKey,
    key_name: 'alias/default-key',
  };
  return { provider: new AwsProvider('aws:contract', awsSettings(values)), dispose: () => fake.close() };
});

/*
 * The same suite on another server: AWS_KMS_ENDPOINT, and AWS_REGION and credentials as the SDK's default chain finds them.
 * AWS_KMS_EMULATOR=moto leaves out what moto does not do.
 */
const { AWS_KMS_ENDPOINT: endpoint, AWS_REGION: region = 'us-east-1', AWS_KMS_EMULATOR: emulator } = process.env;

/** moto keeps states and rotations without acting on them, and answers foreign ciphertext with AccessDeniedException. */
const NOT_IN_MOTO = [
  'refuses a ciphertext of another key',
  'unwraps after a rotation',
  'disabled key',
  'waits for its deletion',
];

if (endpoint !== undefined) {
  const values = { endpoint, region, key_name: 'strongroom-contract' };
  const gaps = emulator === 'moto' ? NOT_IN_MOTO : [];
  describeKmsProvider(
    'AWS KMS at AWS_KMS_ENDPOINT',
    CAPABILITIES,
    async () => {
      const provider = new AwsProvider('aws:live', awsSettings(values));
      await provider.createKey('strongroom-contract', { signal: AbortSignal.timeout(10_000) }).catch(() => undefined);
      return { provider, dispose: () => Promise.resolve() };
    },
    gaps,
  );
} else {
  describe('KMS provider contract: AWS KMS at AWS_KMS_ENDPOINT', () => {
    it.skip('NOT RUN: set AWS_KMS_ENDPOINT, AWS_REGION and credentials to run the same suite there', () => undefined);
  });
}
