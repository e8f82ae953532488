import { validateVaultSettings, vaultSettings } from './vault-settings';

const GOOD = { endpoint: 'https://vault.example.com:8200', key_name: 'key', token: 't' };

describe('Vault settings', () => {
  it.each([
    [GOOD],
    [{ ...GOOD, endpoint: 'http://127.0.0.1:8200/' }],
    [{ ...GOOD, endpoint: 'http://vault:8200' }],
    [{ endpoint: GOOD.endpoint, key_name: 'key', token_file: '/run/token', timeout: '2s', max_retries: 0 }],
    [{ endpoint: GOOD.endpoint, key_name: 'key', auth_approle_id: 'r', auth_approle_secret: 's', token: '' }],
  ])('accepts %j', async (values) => {
    expect(await validateVaultSettings(values)).toEqual([]);
  });

  it.each([
    ['endpoint', { ...GOOD, endpoint: 'vault:8200' }],
    ['endpoint', { ...GOOD, endpoint: 'ftp://vault' }],
    ['endpoint', { ...GOOD, endpoint: 'https://user:pw@vault' }],
    ['endpoint', { key_name: 'key', token: 't' }],
    ['key_name', { ...GOOD, key_name: '' }],
    ['key_name', { ...GOOD, key_name: '../sys' }],
    ['token', { endpoint: GOOD.endpoint, key_name: 'key' }],
    ['token_file', { ...GOOD, token_file: '/run/token' }],
    ['auth_approle_id', { ...GOOD, auth_type: 'approle', auth_approle_secret: 's' }],
    ['auth_approle_secret', { endpoint: GOOD.endpoint, key_name: 'key', auth_approle_id: 'r' }],
    ['mount_path', { ...GOOD, mount_path: 'sys/raw' }],
    ['mount_path', { ...GOOD, mount_path: '/transit' }],
    ['mount_path', { ...GOOD, mount_path: 'a/../b' }],
    ['namespace', { ...GOOD, namespace: 'a b' }],
    ['ca_pem', { ...GOOD, ca_pem: 'nonsense' }],
    ['ca_pem', { ...GOOD, ca_pem: '-----BEGIN CERTIFICATE-----', ca_file: '/ca' }],
    ['client_cert_file', { ...GOOD, client_cert_file: '/cert' }],
    ['key_version', { ...GOOD, key_version: 0 }],
    ['timeout', { ...GOOD, timeout: '10ms' }],
    ['max_retries', { ...GOOD, max_retries: 99 }],
  ])('names %s as the problem of %j', async (field, values) => {
    expect((await validateVaultSettings(values)).map((problem) => problem.field)).toContain(field);
  });

  it('infers AppRole from its id, and fills the defaults', () => {
    const settings = vaultSettings({
      endpoint: 'https://v/',
      key_name: 'k',
      auth_approle_id: 'r',
      auth_approle_secret: 's',
      timeout: '250ms',
    });
    expect(settings).toMatchObject({
      endpoints: ['https://v'],
      credentials: { type: 'approle', roleId: 'r', mount: 'approle' },
      mountPath: 'transit',
      timeout: 250,
      maxRetries: 3,
      createKey: false,
      tls: { skipVerify: false },
    });
    expect(JSON.stringify(settings)).not.toContain('"s"');
  });
});
