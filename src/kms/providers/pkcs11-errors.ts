import { KmsError, type KmsErrorKind } from '../kms-error';
import type { Pkcs11FaultFacts } from './pkcs11-port';

interface Meaning {
  readonly kind: KmsErrorKind;
  /** Follows the name of the KMS. */
  readonly text: string;
  readonly remedy?: string;
}

const CHECK_TOKEN = 'Check that the token is inserted or reachable, and that slot or token_label names it.';
const FREE_PIN = 'Log in once with the right PIN by the tools of the HSM, or have its security officer reset the PIN.';
const FIT_KEY =
  'Use an AES key of 256 bits, sensitive, not extractable, that may encrypt and decrypt; or rotate the key.';

const meaning = (kind: KmsErrorKind, text: string, remedy?: string): Meaning => ({ kind, text, remedy });

const WRONG_PIN = meaning(
  'kms-unauthenticated',
  'does not accept the PIN',
  'Correct pin or pin_file. The PIN is not tried again before it changes, so that the token does not lock itself.',
);
const LOCKED_PIN = meaning('kms-unauthenticated', 'has locked the PIN', FREE_PIN);
const NO_LOGIN = meaning('kms-unauthenticated', 'is not logged in', 'Check the PIN and the state of the token.');
const NO_KEY = meaning('kms-key-not-found', 'has no such key', 'Check the label of the key, or create it.');
const BAD_CIPHERTEXT = meaning(
  'kms-invalid-ciphertext',
  'cannot open the wrapped data key with this key and encryption context',
);
const NO_TOKEN = meaning('kms-unavailable', 'has no such token', CHECK_TOKEN);
const NO_MECHANISM = meaning(
  'kms-unsupported',
  'cannot do this with AES-GCM',
  'Use a token with CKM_AES_GCM that accepts an IV of 12 bytes and associated data.',
);
const BAD_TEMPLATE = meaning(
  'kms-unsupported',
  'refuses the attributes of the key',
  'Create the key by the tools of the HSM: AES, 256 bits, sensitive, not extractable, may encrypt and decrypt.',
);
const FORBIDDEN = meaning('kms-access-denied', 'does not permit this', 'Check what the user of the token may do.');

const MEANINGS: Readonly<Record<string, Meaning>> = {
  module: meaning(
    'kms-not-configured',
    'needs the optional package pkcs11js',
    'Install it with a compiler at hand: npm install pkcs11js',
  ),
  library: meaning(
    'kms-not-configured',
    'cannot load its library',
    'Correct library: the path of a PKCS#11 library for this system, readable together with all that it needs.',
  ),
  'no-token': NO_TOKEN,
  'many-tokens': meaning('kms-not-configured', 'has several tokens of that label', 'Give slot instead of token_label.'),
  'pin-locked': LOCKED_PIN,
  'pin-final-try': meaning('kms-unauthenticated', 'leaves one attempt at the PIN, which is not spent here', FREE_PIN),
  'key-not-found': NO_KEY,
  'key-exists': meaning('kms-key-exists', 'has such a key already'),
  'key-unfit': meaning('kms-unsupported', 'has such a key, but it cannot be used', FIT_KEY),
  'key-ambiguous': meaning(
    'kms-unsupported',
    'has several keys with the same label and CKA_ID',
    'Give each key object of that label its own CKA_ID.',
  ),
  ciphertext: BAD_CIPHERTEXT,
  protocol: meaning('kms-protocol', 'returned something unexpected'),
  CKR_PIN_INCORRECT: WRONG_PIN,
  CKR_PIN_INVALID: WRONG_PIN,
  CKR_PIN_LEN_RANGE: WRONG_PIN,
  CKR_PIN_EXPIRED: meaning('kms-unauthenticated', 'says that the PIN has expired', 'Set a new PIN.'),
  CKR_PIN_LOCKED: LOCKED_PIN,
  CKR_USER_PIN_NOT_INITIALIZED: meaning('kms-unauthenticated', 'has no PIN yet', 'Initialize the PIN of the token.'),
  CKR_USER_NOT_LOGGED_IN: NO_LOGIN,
  CKR_USER_ANOTHER_ALREADY_LOGGED_IN: NO_LOGIN,
  CKR_USER_TOO_MANY_TYPES: NO_LOGIN,
  CKR_KEY_HANDLE_INVALID: NO_KEY,
  CKR_OBJECT_HANDLE_INVALID: NO_KEY,
  CKR_ENCRYPTED_DATA_INVALID: BAD_CIPHERTEXT,
  CKR_ENCRYPTED_DATA_LEN_RANGE: BAD_CIPHERTEXT,
  CKR_AEAD_DECRYPT_FAILED: BAD_CIPHERTEXT,
  CKR_SLOT_ID_INVALID: NO_TOKEN,
  CKR_TOKEN_NOT_PRESENT: NO_TOKEN,
  CKR_TOKEN_NOT_RECOGNIZED: NO_TOKEN,
  CKR_DEVICE_REMOVED: NO_TOKEN,
  CKR_MECHANISM_INVALID: NO_MECHANISM,
  CKR_MECHANISM_PARAM_INVALID: NO_MECHANISM,
  CKR_KEY_SIZE_RANGE: NO_MECHANISM,
  CKR_KEY_TYPE_INCONSISTENT: NO_MECHANISM,
  CKR_FUNCTION_NOT_SUPPORTED: NO_MECHANISM,
  CKR_TEMPLATE_INCONSISTENT: BAD_TEMPLATE,
  CKR_TEMPLATE_INCOMPLETE: BAD_TEMPLATE,
  CKR_ATTRIBUTE_TYPE_INVALID: BAD_TEMPLATE,
  CKR_ATTRIBUTE_VALUE_INVALID: BAD_TEMPLATE,
  CKR_ATTRIBUTE_SENSITIVE: BAD_TEMPLATE,
  CKR_KEY_FUNCTION_NOT_PERMITTED: FORBIDDEN,
  CKR_ACTION_PROHIBITED: FORBIDDEN,
  CKR_TOKEN_WRITE_PROTECTED: FORBIDDEN,
  CKR_SESSION_READ_ONLY: FORBIDDEN,
  CKR_SESSION_COUNT: meaning('kms-throttled', 'has no free session', 'Raise the number of sessions of the token.'),
};

/** The KMS failure that a fault in the PKCS#11 thread stands for. @param kms `<type>:<target>` */
export function pkcs11Error(kms: string, { reason, detail }: Pkcs11FaultFacts): KmsError {
  const { kind, text, remedy } =
    MEANINGS[reason] ?? meaning('kms-unavailable', 'failed', 'Look for the reason in the log of the PKCS#11 library.');
  const told = reason.startsWith('CKR_') ? reason : reason === 'library' || reason.startsWith('key-') ? detail : '';
  return new KmsError(kind, `${kms} ${text}${told === undefined || told === '' ? '' : ` (${told})`}`, { remedy });
}
