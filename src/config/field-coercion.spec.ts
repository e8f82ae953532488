import { coerceField } from './field-coercion';
import type { FieldDefinition, FieldType } from './subsystem';

describe('coerceField', () => {
  const field = (type: FieldType): FieldDefinition => ({
    name: 'field',
    type,
    description: '',
    values: ['token', 'approle'],
  });

  it.each<[FieldType, unknown, unknown]>([
    ['boolean', 'on', true],
    ['boolean', 0, false],
    ['boolean', true, true],
    ['integer', '3', 3],
    ['integer', 3, 3],
    ['duration', 5, '5s'],
    ['duration', '250 MS', '250ms'],
    ['url', ' https://vault:8200 ', 'https://vault:8200'],
    ['enum', 'AppRole', 'approle'],
    ['string', 12, '12'],
    ['path', '/etc/x', '/etc/x'],
  ])('reads %s %p', (type, raw, value) => {
    expect(coerceField(field(type), raw)).toEqual({ value });
  });

  it.each<[FieldType, unknown, RegExp]>([
    ['boolean', 'maybe', /on or off/],
    ['integer', '3.5', /whole number/],
    ['integer', Number.NaN, /whole number/],
    ['duration', '5 weeks', /duration such as/],
    ['url', 'vault', /URL such as/],
    ['enum', 'ldap', /one of token, approle/],
    ['string', ['a'], /single value/],
    ['string', { a: 1 }, /single value/],
    ['string', 'a\0b', /NUL/],
    ['string', 'x'.repeat(300_000), /at most/],
  ])('refuses %s %p', (type, raw, message) => {
    expect(coerceField(field(type), raw)).toEqual({ problem: expect.stringMatching(message) });
  });
});
