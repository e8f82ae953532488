import { checksumMatches, checksumOf } from './gcp-checksum';

describe('CRC32C of Cloud KMS', () => {
  // RFC 3720, appendix B.4: 32 bytes of zeros, and of ones, in the byte order of the wire.
  it.each([
    [Buffer.alloc(32), 0x8a9136aa],
    [Buffer.alloc(32, 0xff), 0x62a8ab43],
  ])('is that of RFC 3720', (bytes, value) => {
    expect(checksumOf(bytes)).toEqual({ value });
    expect(checksumMatches(bytes, { value: String(value) })).toBe(true);
  });

  it.each([[null], [undefined], [{}], [{ value: '1' }], [{ value: 0 }]])('does not match %j', (told) => {
    expect(checksumMatches(Buffer.from('text'), told)).toBe(false);
  });
});
