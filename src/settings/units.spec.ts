import { parseBoolean, parseDuration, parseSize } from './units';

describe('units', () => {
  it.each([
    ['0', 0],
    ['32768', 32768],
    ['32KiB', 32768],
    ['32 kb', 32000],
    ['1m', 1048576],
    ['1.5k', undefined],
    ['-1', undefined],
    ['1TB', undefined],
    ['99999999999999999', undefined],
  ])('reads the size %s', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each([
    ['30', 30_000],
    ['250ms', 250],
    ['1.5s', 1500],
    ['15m', 900_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
    ['1w', undefined],
    ['s', undefined],
    ['', undefined],
  ])('reads the duration %s', (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds);
  });

  it.each([
    ['on', true],
    ['TRUE', true],
    ['1', true],
    ['off', false],
    ['No', false],
    ['maybe', undefined],
  ])('reads the boolean %s', (text, value) => {
    expect(parseBoolean(text)).toBe(value);
  });
});
