import { randomBytes } from 'node:crypto';
import { Argon2 } from './argon2';
import { openStream, parsePayload, sealStream, serializePayload, type PayloadCipher } from './madmin-payload';

/** From the tests of madmin-go (encrypt_test.go): password, payload in hex, length of the plaintext of zeros. */
const PUBLISHED: readonly (readonly [string, string, number])[] = [
  [
    'xPl.8/rhR"Q_1xLt',
    'b5c016e93b84b473fc8a37af94936563630c36d6df1841d23a86ee51ca161f9e00ac19116b32f643ff6a56a212b265d8c56' +
      '195bb0d12ce199e13dfdc5272f80c1564da2c6fc2fa18da91d8062de02af5cdafea491c6f3cae1f',
    32,
  ],
  [
    '7h5oU4$te{;K}fgqlI^]',
    'c58edf7cfd557b6b655de6f48b1a3049d8d049dadb3a7bfa9ac9ccbb5baf37ec00f83086a26f43b7d6bc9075ad0' +
      '38bf5741f118d502ebe94165e4072ba7f98535d6b1e3b6ae67a98115d146d9b4d90e4df4ae82df9cfa17ed7cd42' +
      '465181559f7ddf09c98beec521bb4478e0cb73c4e0827af8688ff4e7a07327a10d5a180035e6ddb16d974a85257' +
      '981cd9e0360a20f7b4d653190267dfb241148f018ae180568042e864b9e1b5bc05425a3abc2b0324f50c72d5679' +
      '8f924405dfc0f8523f4bb564ed65af8e1b1c82a7a0640552ecf81985d95d0993d99172592ddc1393dfa63e8f0b3' +
      'd744b2cc4b73384ca4693f0c1aec0e9b00e85f2937e891105d67da8f59c14ca96608e0425c42f9c1e7c2a8b3413' +
      'e1381784f9cfe01de7c47cea1f8d7a7d88f5d4aca783cf55332b47f957a6b9a65269d7eb606b877b',
    256,
  ],
];
const CIPHERS: readonly PayloadCipher[] = ['aes-256-gcm', 'chacha20-poly1305'];
const FRAGMENT = 16 * 1024;
const TAG = 16;
const KEY = Buffer.alloc(32, 7);
const NONCE = Buffer.alloc(8, 9);

describe('payloads of madmin', () => {
  it.each(PUBLISHED)('opens the published payload under %p', async (password, hex, length) => {
    const payload = parsePayload(Buffer.from(hex, 'hex'));
    expect(payload).toMatchObject({ keyDerivation: 'argon2id', cipher: 'aes-256-gcm' });
    const key = await new Argon2().derive(password, payload.salt);
    expect(openStream(payload.cipher, key, payload.nonce, payload.stream)).toEqual(Buffer.alloc(length));
  });

  it('derives one key after the other and refuses a crowd', async () => {
    const argon2 = new Argon2();
    const salt = Buffer.alloc(32);
    const settled = await Promise.allSettled(Array.from({ length: 17 }, () => argon2.derive('password', salt)));
    expect(settled.filter(({ status }) => status === 'rejected')).toEqual([
      { status: 'rejected', reason: expect.objectContaining({ kind: 'Busy' }) },
    ]);
    await expect(argon2.derive('password', salt)).resolves.toHaveLength(32);
  });

  describe.each(CIPHERS)('with %s', (cipher) => {
    it.each([0, 1, FRAGMENT - 1, FRAGMENT, FRAGMENT + 1, 2 * FRAGMENT, 3 * FRAGMENT + 5])(
      'brings back %i bytes',
      (length) => {
        const plaintext = randomBytes(length);
        const sealed = sealStream(cipher, KEY, NONCE, plaintext);
        expect(sealed).toHaveLength(length + TAG * Math.max(1, Math.ceil(length / FRAGMENT)));
        expect(openStream(cipher, KEY, NONCE, sealed)).toEqual(plaintext);
      },
    );

    it('refuses a stream that is cut, extended, altered or out of order', () => {
      const sealed = sealStream(cipher, KEY, NONCE, randomBytes(2 * FRAGMENT));
      const half = FRAGMENT + TAG;
      const altered = Buffer.from(sealed);
      altered[half + 3] = (altered[half + 3] ?? 0) ^ 1;
      const wrong = [
        sealed.subarray(0, half),
        sealed.subarray(0, half + 5),
        sealed.subarray(0, sealed.length - 1),
        Buffer.concat([sealed, sealed.subarray(0, half)]),
        Buffer.concat([sealed.subarray(half), sealed.subarray(0, half)]),
        Buffer.alloc(0),
        altered,
      ];
      for (const stream of wrong) {
        expect(() => openStream(cipher, KEY, NONCE, stream)).toThrow(
          expect.objectContaining({ kind: 'InvalidPayload' }),
        );
      }
    });
  });

  it('keeps its head in the order salt, algorithm, nonce', () => {
    const salt = Buffer.alloc(32, 1);
    const stream = Buffer.alloc(16, 3);
    for (const [keyDerivation, cipher, id] of [
      ['argon2id', 'aes-256-gcm', 0],
      ['argon2id', 'chacha20-poly1305', 1],
      ['pbkdf2', 'aes-256-gcm', 2],
    ] as const) {
      const bytes = serializePayload({ keyDerivation, cipher, salt, nonce: NONCE, stream });
      expect(bytes).toEqual(Buffer.concat([salt, Buffer.from([id]), NONCE, stream]));
      expect(parsePayload(bytes)).toEqual({ keyDerivation, cipher, salt, nonce: NONCE, stream });
    }
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(40), Buffer.alloc(100, 3)]) {
      expect(() => parsePayload(bytes)).toThrow(expect.objectContaining({ kind: 'InvalidPayload' }));
    }
  });
});
