import type { FieldValues } from '../../src/config/subsystem';
import { gcpSettings } from '../../src/kms/providers/gcp-settings';
import { GcpProvider } from '../../src/kms/providers/gcp.provider';
import { startGcpKmsServer } from '../fakes/gcp-kms-server';
import { describeKmsProvider } from './kms-provider.contract';
import { pinnedCapabilities } from './provider-pins';

const CAPABILITIES = pinnedCapabilities('gcp');

describeKmsProvider('Google Cloud KMS, scripted', CAPABILITIES, async () => {
  const fake = await startGcpKmsServer();
  fake.createKey('default-key');
  const values: FieldValues = {
    project: fake.project,
    location: fake.location,
    key_ring: fake.keyRing,
    key_name: 'default-key',
    endpoint: fake.url,
    credentials_json: fake.tokens.serviceAccount,
  };
  return { provider: new GcpProvider('gcp:contract', gcpSettings(values)), dispose: () => fake.close() };
});

/*
 * The same suite on Google Cloud: GCP_KMS_KEY_RING=projects/…/locations/…/keyRings/…, and GOOGLE_APPLICATION_CREDENTIALS or
 * whatever else Application Default Credentials find. Keys cannot be deleted there; those that the suite makes stay.
 */
const [, project, location, keyRing] =
  /^projects\/([^/]+)\/locations\/([^/]+)\/keyRings\/([^/]+)$/.exec(process.env['GCP_KMS_KEY_RING'] ?? '') ?? [];

if (project !== undefined && location !== undefined && keyRing !== undefined) {
  const values = { project, location, key_ring: keyRing, key_name: 'strongroom-contract' };
  describeKmsProvider('Google Cloud KMS at GCP_KMS_KEY_RING', CAPABILITIES, async () => {
    const provider = new GcpProvider('gcp:live', gcpSettings(values));
    await provider.createKey('strongroom-contract', { signal: AbortSignal.timeout(10_000) }).catch(() => undefined);
    return { provider, dispose: () => Promise.resolve() };
  });
} else {
  describe('KMS provider contract: Google Cloud KMS at GCP_KMS_KEY_RING', () => {
    it.skip('NOT RUN: set GCP_KMS_KEY_RING and GOOGLE_APPLICATION_CREDENTIALS to run the same suite there', () =>
      undefined);
  });
}
