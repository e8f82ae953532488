import { gcpSettings, validateGcpSettings } from './gcp-settings';

const RING = 'projects/my-project/locations/europe-west3/keyRings/storage';
const SOUND = { project: 'my-project', location: 'europe-west3', key_ring: 'storage', key_name: 'strongroom' };
const ACCOUNT = JSON.stringify({ type: 'service_account', client_email: 'a@b', private_key: 'hidden' });

describe('Google Cloud settings', () => {
  it.each([
    SOUND,
    { ...SOUND, project: 'example.com:my-project', location: 'global' },
    { ...SOUND, key_name: `${RING}/cryptoKeys/strongroom` },
    { ...SOUND, key_name: 'projects/other/locations/global/keyRings/ring/cryptoKeys/key' },
    { ...SOUND, credentials_json: ACCOUNT, protection_level: 'HSM', create_key: true },
    { ...SOUND, credentials_file: '/run/secrets/gcp.json', endpoint: 'http://127.0.0.1:8080/' },
  ])('accepts %j', async (values) => {
    expect(await validateGcpSettings(values)).toEqual([]);
  });

  it.each([
    ['project', { ...SOUND, project: 'My Project' }],
    ['location', { ...SOUND, location: 'europe/west' }],
    ['key_ring', { ...SOUND, key_ring: 'a/b' }],
    ['key_name', { ...SOUND, key_name: `${RING}/cryptoKeys/strongroom/cryptoKeyVersions/1` }],
    ['key_name', { ...SOUND, key_name: '' }],
    ['credentials_json', { ...SOUND, credentials_json: 'hidden' }],
    ['credentials_json', { ...SOUND, credentials_json: '{"type":"gdch_service_account"}' }],
    ['credentials_json', { ...SOUND, credentials_json: '{"type":"service_account","client_email":"a@b"}' }],
    ['credentials_json', { ...SOUND, credentials_json: ACCOUNT, credentials_file: '/file' }],
    ['endpoint', { ...SOUND, endpoint: 'https://user:password@kms.example.com' }],
    ['endpoint', { ...SOUND, endpoint: 'https://kms.example.com/path' }],
    ['protection_level', { ...SOUND, protection_level: 'EXTERNAL' }],
    ['timeout', { ...SOUND, timeout: '10m' }],
  ])('complains of %s', async (field, values) => {
    const problems = await validateGcpSettings(values);
    expect(problems.map((problem) => problem.field)).toEqual([field]);
    expect(JSON.stringify(problems)).not.toContain('hidden');
  });

  it('names the ring and the public endpoint', () => {
    expect(gcpSettings(SOUND)).toMatchObject({ ring: RING, endpoint: 'https://cloudkms.googleapis.com' });
  });

  it('keeps secrets out of what is printed', () => {
    expect(JSON.stringify(gcpSettings({ ...SOUND, credentials_json: ACCOUNT }))).not.toContain('hidden');
  });
});
