import { validatePkcs11Settings } from './pkcs11-settings';
import { pkcs11Error } from './pkcs11-errors';

const SOUND = { library: '/usr/lib/hsm.so', token_label: 'token', pin: '1234', key_name: 'strongroom' };

describe('kms_pkcs11 documents', () => {
  it('need a library, a token, a PIN and a key', async () => {
    expect(await validatePkcs11Settings(SOUND)).toEqual([]);
    expect(await validatePkcs11Settings({ ...SOUND, token_label: '', slot: 0 })).toEqual([]);
    expect((await validatePkcs11Settings({})).map(({ field }) => field).sort()).toEqual([
      'key_name',
      'library',
      'pin',
      'token_label',
    ]);
  });

  it.each([
    ['library', { library: 'relative.so' }],
    ['slot', { token_label: '', slot: -1 }],
    ['token_label', { slot: 1 }],
    ['token_label', { token_label: 'x'.repeat(33) }],
    ['pin', { pin_file: '/run/pin' }],
    ['key_name', { key_name: 'a/b' }],
    ['timeout', { timeout: '1ms' }],
  ])('refuse a wrong %s', async (field, wrong) => {
    expect((await validatePkcs11Settings({ ...SOUND, ...wrong })).map((problem) => problem.field)).toEqual([field]);
  });
});

describe('Return values of PKCS#11', () => {
  it.each([
    ['CKR_PIN_INCORRECT', 'kms-unauthenticated', false],
    ['CKR_PIN_LOCKED', 'kms-unauthenticated', false],
    ['CKR_KEY_HANDLE_INVALID', 'kms-key-not-found', false],
    ['CKR_ENCRYPTED_DATA_INVALID', 'kms-invalid-ciphertext', false],
    ['CKR_MECHANISM_INVALID', 'kms-unsupported', false],
    ['CKR_KEY_FUNCTION_NOT_PERMITTED', 'kms-access-denied', false],
    ['CKR_DEVICE_REMOVED', 'kms-unavailable', true],
    ['CKR_SESSION_COUNT', 'kms-throttled', true],
    ['CKR_GENERAL_ERROR', 'kms-unavailable', true],
  ])('%s means %s', (reason, kind, retryable) => {
    expect(pkcs11Error('pkcs11:default', { reason })).toMatchObject({
      kind,
      retryable,
      message: expect.stringContaining(reason),
    });
  });
});
