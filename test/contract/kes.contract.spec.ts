import { randomBytes } from 'node:crypto';
import { kesIdentity } from '../../src/kms/providers/kes-api-key';
import { kesSettings } from '../../src/kms/providers/kes-settings';
import { KesProvider } from '../../src/kms/providers/kes.provider';
import { startKesServer } from '../fakes/kes-server';
import { testCertificate } from '../support/test-certificate';
import { describeKmsProvider } from './kms-provider.contract';
import { pinnedCapabilities } from './provider-pins';

const CAPABILITIES = pinnedCapabilities('kes');

describeKmsProvider('KES, API key with a policy', CAPABILITIES, async () => {
  const { cert, key } = await testCertificate();
  const fake = await startKesServer({ cert, key });
  const apiKey = `kes:v1:${Buffer.concat([Buffer.of(0), randomBytes(32)]).toString('base64')}`;
  const verbs = ['create', 'import', 'generate', 'decrypt', 'describe', 'list', 'delete'];
  fake.assign(kesIdentity(apiKey).identity, { allow: verbs.map((verb) => `/v1/key/${verb}/*`) });
  const values = { endpoint: fake.url, key_name: 'default-key', api_key: apiKey, ca_pem: cert, create_key: true };
  return { provider: new KesProvider('kes:contract', kesSettings(values)), dispose: () => fake.close() };
});

// The same suite on a real server: KES_ENDPOINT and KES_API_KEY; KES_CA_PATH for its certificate.
const { KES_ENDPOINT: endpoint, KES_API_KEY: apiKey, KES_CA_PATH: caFile } = process.env;

if (endpoint !== undefined && apiKey !== undefined) {
  const values = { endpoint, api_key: apiKey, ca_file: caFile, key_name: 'strongroom-contract', create_key: true };
  describeKmsProvider('real KES', CAPABILITIES, () =>
    Promise.resolve({
      provider: new KesProvider('kes:live', kesSettings(values)),
      dispose: () => Promise.resolve(),
    }),
  );
} else {
  describe('KMS provider contract: real KES', () => {
    it.skip('NOT RUN: set KES_ENDPOINT and KES_API_KEY to run the same suite against a real server', () => undefined);
  });
}
