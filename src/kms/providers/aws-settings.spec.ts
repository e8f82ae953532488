import { awsSettings, validateAwsSettings } from './aws-settings';

const SOUND = { region: 'eu-central-1', key_name: 'alias/strongroom' };

describe('AWS settings', () => {
  it.each([
    SOUND,
    { ...SOUND, key_name: '1234abcd-12ab-34cd-56ef-1234567890ab', access_key: 'AKIAEXAMPLE', secret_key: 's' },
    { ...SOUND, key_name: 'arn:aws:kms:eu-central-1:111122223333:alias/strongroom' },
    { ...SOUND, endpoint: 'http://127.0.0.1:5000', rotation_days: 90 },
  ])('accepts %j', async (values) => {
    expect(await validateAwsSettings(values)).toEqual([]);
  });

  it.each([
    ['region', { ...SOUND, region: 'Frankfurt' }],
    ['key_name', { ...SOUND, key_name: 'no such name' }],
    ['key_name', { ...SOUND, key_name: 'arn:aws:kms:us-east-1:111122223333:key/abc' }],
    ['secret_key', { ...SOUND, access_key: 'AKIAEXAMPLE' }],
    ['session_token', { ...SOUND, session_token: 't' }],
    ['endpoint', { ...SOUND, endpoint: 'https://user:password@kms.example.com' }],
    ['rotation_days', { ...SOUND, rotation_days: 30 }],
    ['timeout', { ...SOUND, timeout: '10m' }],
  ])('complains of %s', async (field, values) => {
    expect((await validateAwsSettings(values)).map((problem) => problem.field)).toEqual([field]);
  });

  it.each([
    ['eu-central-1', 'https://kms.eu-central-1.amazonaws.com'],
    ['us-gov-west-1', 'https://kms.us-gov-west-1.amazonaws.com'],
    ['cn-north-1', 'https://kms.cn-north-1.amazonaws.com.cn'],
  ])('knows the public endpoint of %s', (region, endpoint) => {
    expect(awsSettings({ ...SOUND, region }).endpoint).toBe(endpoint);
  });

  it('keeps secrets out of what is printed', () => {
    const settings = awsSettings({
      ...SOUND,
      access_key: 'AKIAEXAMPLE',
      secret_key: 'hidden',
      session_token: 'veiled',
    });
    expect(JSON.stringify(settings)).not.toMatch(/hidden|veiled/);
  });
});
