/** Tags of the few ASN.1 types that a certificate is made of. */
const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  generalizedTime: 0x18,
} as const;

/** DER of a sequence. */
export function sequence(...members: readonly Buffer[]): Buffer {
  return element(TAG.sequence, ...members);
}

/** DER of a set; the members must be in order already. */
export function set(...members: readonly Buffer[]): Buffer {
  return element(TAG.set, ...members);
}

/** DER of an explicitly tagged value, `[tag] EXPLICIT`. */
export function explicit(tag: number, member: Buffer): Buffer {
  return element(0xa0 | tag, member);
}

/** DER of a non-negative integer. @param bytes big-endian */
export function integer(bytes: Buffer): Buffer {
  const start = bytes.findIndex((byte) => byte !== 0);
  const digits = start === -1 ? Buffer.of(0) : bytes.subarray(start);
  return element(TAG.integer, (digits[0] ?? 0) & 0x80 ? Buffer.of(0) : Buffer.alloc(0), digits);
}

export function boolean(value: boolean): Buffer {
  return element(TAG.boolean, Buffer.of(value ? 0xff : 0));
}

/** DER of a bit string. @param unusedBits of the last byte */
export function bitString(bytes: Buffer, unusedBits = 0): Buffer {
  return element(TAG.bitString, Buffer.of(unusedBits), bytes);
}

export function octetString(bytes: Buffer): Buffer {
  return element(TAG.octetString, bytes);
}

export function utf8String(text: string): Buffer {
  return element(TAG.utf8String, Buffer.from(text, 'utf8'));
}

/** DER of a time. @param text `YYYYMMDDhhmmssZ` */
export function generalizedTime(text: string): Buffer {
  return element(TAG.generalizedTime, Buffer.from(text, 'latin1'));
}

/** DER of an object identifier. @param dotted such as `2.5.4.3` */
export function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return element(TAG.objectIdentifier, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

function base128(value: number): number[] {
  const digits = [value & 0x7f];
  for (let left = Math.floor(value / 128); left > 0; left = Math.floor(left / 128)) {
    digits.unshift((left & 0x7f) | 0x80);
  }
  return digits;
}

function element(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.of(tag), length(content.length), content]);
}

function length(bytes: number): Buffer {
  if (bytes < 0x80) {
    return Buffer.of(bytes);
  }
  const digits: number[] = [];
  for (let left = bytes; left > 0; left = Math.floor(left / 256)) {
    digits.unshift(left & 0xff);
  }
  return Buffer.of(0x80 | digits.length, ...digits);
}
