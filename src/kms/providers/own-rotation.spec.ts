import { startAwsKmsServer } from '../../../test/fakes/aws-kms-server';
import { startGcpKmsServer } from '../../../test/fakes/gcp-kms-server';
import { startVaultServer } from '../../../test/fakes/vault-server';
import { awsSettings } from './aws-settings';
import { AwsProvider } from './aws.provider';
import { gcpSettings } from './gcp-settings';
import { GcpProvider } from './gcp.provider';
import { vaultSettings } from './vault-settings';
import { VaultProvider } from './vault.provider';

const DAY = 86_400;

describe('rotation that a KMS does by itself', () => {
  const options = { signal: new AbortController().signal };

  it('is told by Vault as a period of the key', async () => {
    const vault = await startVaultServer();
    vault.createKey('turning', { autoRotatePeriod: 30 * DAY });
    vault.createKey('still');
    const values = { endpoint: vault.url, key_name: 'turning', token: vault.rootToken };
    const provider = new VaultProvider('vault:test', vaultSettings(values));
    try {
      const { ownRotation, createdAt } = await provider.describeKey('turning', options);
      expect(ownRotation?.periodDays).toBe(30);
      expect(ownRotation?.next?.getTime()).toBe((createdAt?.getTime() ?? 0) + 30 * DAY * 1_000);
      expect((await provider.describeKey('still', options)).ownRotation).toBeUndefined();
    } finally {
      await provider.destroy();
      await vault.close();
    }
  });

  it('is told by AWS where it may be asked, and is no reason not to describe the key where it may not', async () => {
    const aws = await startAwsKmsServer();
    const provider = new AwsProvider(
      'aws:test',
      awsSettings({
        region: aws.region,
        endpoint: aws.url,
        access_key: aws.accessKey,
        secret_key: aws.secretKey,
        key_name: 'turning',
        rotation_days: 180,
      }),
    );
    try {
      await provider.init();
      await provider.createKey('turning', options);
      aws.createKey('still');
      const { ownRotation } = await provider.describeKey('turning', options);
      expect(ownRotation).toEqual({ periodDays: 180, next: expect.any(Date) });
      expect((await provider.describeKey('still', options)).ownRotation).toBeUndefined();
      aws.deny('kms:GetKeyRotationStatus');
      expect(await provider.describeKey('turning', options)).toMatchObject({
        state: 'enabled',
        ownRotation: undefined,
      });
    } finally {
      await provider.destroy();
      await aws.close();
    }
  });

  it('is told by Google as a period and a date', async () => {
    const gcp = await startGcpKmsServer();
    const next = '2027-03-01T00:00:00Z';
    gcp.createKey('turning');
    gcp.setRotation('turning', 90 * DAY, next);
    gcp.createKey('still');
    const provider = new GcpProvider(
      'gcp:test',
      gcpSettings({
        project: gcp.project,
        location: gcp.location,
        key_ring: gcp.keyRing,
        key_name: 'turning',
        endpoint: gcp.url,
        credentials_json: gcp.tokens.serviceAccount,
      }),
    );
    try {
      await provider.init();
      const { ownRotation } = await provider.describeKey('turning', options);
      expect(ownRotation).toEqual({ periodDays: 90, next: new Date(next) });
      expect((await provider.describeKey('still', options)).ownRotation).toBeUndefined();
    } finally {
      await provider.destroy();
      await gcp.close();
    }
  });
});
