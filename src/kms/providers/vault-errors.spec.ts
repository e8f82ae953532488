import type { KmsErrorKind } from '../kms-error';
import { vaultError } from './vault-errors';

describe('vaultError', () => {
  // Texts from hashicorp/vault: builtin/logical/transit and sdk/helper/keysutil/policy.go, http/logical.go.
  it.each<[number, string, KmsErrorKind, boolean]>([
    [400, 'invalid ciphertext: no prefix', 'kms-invalid-ciphertext', false],
    [400, 'cipher: message authentication failed', 'kms-invalid-ciphertext', false],
    [400, 'ciphertext or signature version is disallowed by policy (too old)', 'kms-invalid-ciphertext', false],
    [
      400,
      "missing 'context' for key derivation; the key was created using a derived key",
      'kms-invalid-ciphertext',
      false,
    ],
    [400, 'encryption key not found', 'kms-key-not-found', false],
    [400, 'invalid role or secret ID', 'kms-unauthenticated', false],
    [400, 'something else', 'kms-invalid-request', false],
    [401, '', 'kms-unauthenticated', false],
    [403, '1 error occurred:\n\t* permission denied\n\n', 'kms-access-denied', false],
    [404, '', 'kms-key-not-found', false],
    [404, 'no handler for route "transit/keys/a". route entry not found.', 'kms-not-configured', false],
    [405, '1 error occurred:\n\t* unsupported operation\n\n', 'kms-unsupported', false],
    [412, 'required index state not present', 'kms-unavailable', true],
    [418, '', 'kms-protocol', false],
    [429, 'request path "transit": rate limit quota exceeded', 'kms-throttled', true],
    [472, '', 'kms-unavailable', true],
    [473, '', 'kms-unavailable', true],
    [500, 'internal error', 'kms-unavailable', true],
    [502, '', 'kms-unavailable', true],
    [503, 'Vault is sealed', 'kms-sealed', true],
    [503, '', 'kms-unavailable', true],
  ])('reads %i "%s" as %s', (status, text, kind, retryable) => {
    const error = vaultError('vault:default', status, text === '' ? [] : [text]);
    expect(error).toMatchObject({ kind, retryable });
    expect(error.message).toContain('vault:default');
    expect((error.cause as Error).message).toContain(String(status));
  });
});
