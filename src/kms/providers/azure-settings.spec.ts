import { azureSettings, validateAzureSettings } from './azure-settings';

const UUID = '11111111-2222-4333-8444-555555555555';
const SOUND = { vault_url: 'https://my-vault.vault.azure.net', key_name: 'strongroom' };
const APPLICATION = { ...SOUND, tenant_id: 'contoso.onmicrosoft.com', client_id: UUID };

describe('Azure settings', () => {
  it.each([
    SOUND,
    { ...SOUND, tenant_id: UUID },
    { ...APPLICATION, client_secret: 's', key_version: '0123456789abcdef0123456789abcdef' },
    { ...APPLICATION, client_certificate_file: '/etc/app.pem', authority_host: 'https://login.microsoftonline.us' },
    { ...SOUND, managed_identity_client_id: UUID, verify_challenge: false, create_key: true },
    { ...SOUND, vault_url: 'https://my-hsm.managedhsm.azure.net/', wrap_algorithm: 'A256KW' },
  ])('accepts %j', async (values) => {
    expect(await validateAzureSettings(values)).toEqual([]);
  });

  it.each([
    ['vault_url', { ...SOUND, vault_url: 'http://my-vault.vault.azure.net' }],
    ['vault_url', { ...SOUND, vault_url: 'https://my-vault.vault.azure.net/keys/strongroom' }],
    ['key_name', { ...SOUND, key_name: 'under_score' }],
    ['key_version', { ...SOUND, key_version: '1' }],
    ['tenant_id', { ...SOUND, client_id: UUID, client_secret: 's' }],
    ['client_id', { ...SOUND, tenant_id: UUID, client_secret: 's' }],
    ['client_id', APPLICATION],
    ['client_certificate_file', { ...APPLICATION, client_secret: 's', client_certificate_file: '/etc/app.pem' }],
    ['managed_identity_client_id', { ...APPLICATION, client_secret: 's', managed_identity_client_id: UUID }],
    ['authority_host', { ...SOUND, authority_host: 'http://login.example.com' }],
    ['wrap_algorithm', { ...SOUND, wrap_algorithm: 'RSA1_5' }],
    ['wrap_algorithm', { ...SOUND, wrap_algorithm: 'A256KW' }],
    ['ca_pem', { ...SOUND, ca_file: '/etc/ca.pem', ca_pem: '-----BEGIN CERTIFICATE-----' }],
    ['timeout', { ...SOUND, timeout: '10m' }],
  ])('complains of %s', async (field, values) => {
    expect((await validateAzureSettings(values)).map((problem) => problem.field)).toEqual([field]);
  });

  it.each([
    ['https://v.vault.azure.net', 'https://login.microsoftonline.com'],
    ['https://v.vault.usgovcloudapi.net', 'https://login.microsoftonline.us'],
    ['https://v.vault.azure.cn', 'https://login.chinacloudapi.cn'],
  ])('knows where applications of %s sign in', (vault_url, authority) => {
    expect(azureSettings({ ...APPLICATION, vault_url, client_secret: 's' }).authorityHost).toBe(authority);
    expect(azureSettings({ ...SOUND, vault_url }).authorityHost).toBeUndefined();
  });

  it('keeps the secret out of what is printed', () => {
    expect(JSON.stringify(azureSettings({ ...APPLICATION, client_secret: 'hidden' }))).not.toContain('hidden');
  });
});
