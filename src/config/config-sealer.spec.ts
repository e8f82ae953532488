import { ConfigSealer } from './config-sealer';

describe('ConfigSealer', () => {
  const address = { subsystem: 'kms_test', target: 'default' };
  const sealer = new ConfigSealer(Buffer.alloc(32, 1));
  const sealed = sealer.seal(address, { token: 'hush', endpoint: 'https://a' }, new Set(['token']));

  it('seals the secrets alone and opens them again', () => {
    expect(sealed['endpoint']).toBe('https://a');
    expect(JSON.stringify(sealed)).not.toContain('hush');
    expect(sealer.open(address, sealed)).toEqual({
      values: { token: 'hush', endpoint: 'https://a' },
      unreadable: [],
    });
  });

  it.each([
    ['another target', { ...address, target: 'eu' }, sealed, sealer],
    ['another subsystem', { ...address, subsystem: 'kms_other' }, sealed, sealer],
    ['another root key', address, sealed, new ConfigSealer(Buffer.alloc(32, 2))],
  ])('opens nothing under %s', (_, place, fields, opener) => {
    expect(opener.open(place, fields)).toEqual({ values: { endpoint: 'https://a' }, unreadable: ['token'] });
  });

  it('opens nothing moved to another field', () => {
    expect(sealer.open(address, { other: sealed['token'] ?? '' })).toEqual({ values: {}, unreadable: ['other'] });
  });
});
