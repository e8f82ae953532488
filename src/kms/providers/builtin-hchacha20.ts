const ROUNDS = 20;

/**
 * HChaCha20 of draft-irtf-cfrg-xchacha-03 section 2.2: a key for a 16-byte nonce. Node has no call for it; only ciphertext
 * of old MinIO releases needs it.
 *
 * @param key 32 bytes
 * @param nonce 16 bytes
 * @returns 32 bytes
 */
export function hchacha20(key: Buffer, nonce: Buffer): Buffer {
  const state = new Uint32Array(16);
  state.set([0x61707865, 0x3320646e, 0x79622d32, 0x6b206574]);
  for (let i = 0; i < 8; i++) {
    state[4 + i] = key.readUInt32LE(i * 4);
  }
  for (let i = 0; i < 4; i++) {
    state[12 + i] = nonce.readUInt32LE(i * 4);
  }
  for (let round = 0; round < ROUNDS; round += 2) {
    quarterRound(state, 0, 4, 8, 12);
    quarterRound(state, 1, 5, 9, 13);
    quarterRound(state, 2, 6, 10, 14);
    quarterRound(state, 3, 7, 11, 15);
    quarterRound(state, 0, 5, 10, 15);
    quarterRound(state, 1, 6, 11, 12);
    quarterRound(state, 2, 7, 8, 13);
    quarterRound(state, 3, 4, 9, 14);
  }
  const output = Buffer.alloc(32);
  for (let i = 0; i < 4; i++) {
    output.writeUInt32LE(word(state, i), i * 4);
    output.writeUInt32LE(word(state, 12 + i), 16 + i * 4);
  }
  state.fill(0);
  return output;
}

function quarterRound(state: Uint32Array, a: number, b: number, c: number, d: number): void {
  mix(state, a, b, d, 16);
  mix(state, c, d, b, 12);
  mix(state, a, b, d, 8);
  mix(state, c, d, b, 7);
}

/** `x += y; z = (z ^ x) <<< bits`. */
function mix(state: Uint32Array, x: number, y: number, z: number, bits: number): void {
  state[x] = word(state, x) + word(state, y);
  const mixed = word(state, z) ^ word(state, x);
  state[z] = (mixed << bits) | (mixed >>> (32 - bits));
}

function word(state: Uint32Array, index: number): number {
  return state[index] ?? 0;
}
