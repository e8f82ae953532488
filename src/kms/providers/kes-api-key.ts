import { createHash, createPrivateKey, createPublicKey, randomBytes, sign, type KeyObject } from 'node:crypto';
import {
  bitString,
  boolean,
  explicit,
  generalizedTime,
  integer,
  objectIdentifier,
  octetString,
  sequence,
  set,
  utf8String,
} from './der';

const HEADER = 'kes:v1:';
const ED25519_TYPE = 0;
const SEED_BYTES = 32;
/** PKCS #8 of an Ed25519 key (RFC 8410) up to its seed. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

const ED25519 = '1.3.101.112';
const COMMON_NAME = '2.5.4.3';
const KEY_USAGE = '2.5.29.15';
const BASIC_CONSTRAINTS = '2.5.29.19';
const EXTENDED_KEY_USAGE = '2.5.29.37';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
/** The first of the key usage bits alone, as a bit string with seven unused bits. */
const DIGITAL_SIGNATURE = Buffer.of(0x80);
const NO_DATE = '99991231235959Z';
const SERIAL_BYTES = 16;

/** What an API key stands for. */
export interface KesIdentity {
  /** Hex SHA-256 of the public key, by which the policies of KES name its clients. */
  readonly identity: string;
  /** PEM. */
  readonly cert: string;
  /** PEM, PKCS #8. */
  readonly key: string;
}

/** Whether the text is an API key: `kes:v1:` (which may be left out) and base64 of a zero byte and an Ed25519 seed. */
export function isKesApiKey(text: string): boolean {
  return decode(text) !== undefined;
}

/**
 * Makes the client certificate an API key is used with. KES looks at its public key alone, so that any self-signed
 * certificate of the key will do; this one never expires (RFC 5280, 4.1.2.5), as the process may run for long.
 *
 * @param now start of validity
 * @throws Error when the text is no API key
 */
export function kesIdentity(apiKey: string, now = new Date()): KesIdentity {
  const seed = decode(apiKey);
  if (!seed) {
    throw new Error('Not an API key of KES');
  }
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' });
  const identity = identityOf(createPublicKey(privateKey));
  return {
    identity,
    cert: pem('CERTIFICATE', selfSigned(privateKey, identity, now)),
    key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
  };
}

/** The name KES knows a public key by. */
export function identityOf(publicKey: KeyObject): string {
  return createHash('sha256')
    .update(publicKey.export({ format: 'der', type: 'spki' }))
    .digest('hex');
}

function decode(text: string): Buffer | undefined {
  const base64 = text.startsWith(HEADER) ? text.slice(HEADER.length) : text;
  const bytes = Buffer.from(base64, 'base64');
  return bytes.length === 1 + SEED_BYTES && bytes[0] === ED25519_TYPE && bytes.toString('base64') === base64
    ? bytes.subarray(1)
    : undefined;
}

function selfSigned(privateKey: KeyObject, commonName: string, now: Date): Buffer {
  const algorithm = sequence(objectIdentifier(ED25519));
  const name = sequence(set(sequence(objectIdentifier(COMMON_NAME), utf8String(commonName))));
  const start = now.toISOString().replace(/[-:T]|\.\d+/g, '');
  const body = sequence(
    explicit(0, integer(Buffer.of(2))),
    integer(randomBytes(SERIAL_BYTES)),
    algorithm,
    name,
    sequence(generalizedTime(start), generalizedTime(NO_DATE)),
    name,
    createPublicKey(privateKey).export({ format: 'der', type: 'spki' }),
    explicit(
      3,
      sequence(
        extension(KEY_USAGE, true, bitString(DIGITAL_SIGNATURE, 7)),
        extension(EXTENDED_KEY_USAGE, false, sequence(objectIdentifier(CLIENT_AUTH))),
        extension(BASIC_CONSTRAINTS, true, sequence()),
      ),
    ),
  );
  return sequence(body, algorithm, bitString(sign(null, body, privateKey)));
}

function extension(identifier: string, critical: boolean, value: Buffer): Buffer {
  return sequence(objectIdentifier(identifier), ...(critical ? [boolean(true)] : []), octetString(value));
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').replace(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}
