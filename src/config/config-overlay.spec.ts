import fc from 'fast-check';
import { layerField, type ConfigLayers } from './config-overlay';
import type { FieldDefinition } from './subsystem';

describe('layerField', () => {
  const overlayOf = (name: string, value: string | undefined, origin: string): ConfigLayers['file'] =>
    value === undefined ? undefined : new Map([[name, { value, origin }]]);

  it('takes the highest layer that says anything, whatever the others say', () => {
    const value = fc.option(fc.stringMatching(/^[a-z0-9]{1,8}$/), { nil: undefined });
    fc.assert(
      fc.property(
        value,
        value,
        value,
        value,
        fc.constantFrom('field', 'older'),
        (environment, stored, file, preset, name) => {
          const field: FieldDefinition = {
            name: 'field',
            type: 'string',
            description: '',
            default: preset,
            aliases: ['older'],
          };
          const layered = layerField(field, {
            environment: overlayOf(name, environment, 'VARIABLE'),
            stored: stored === undefined ? {} : { field: stored },
            file: overlayOf(name, file, 'file'),
          });
          const expected =
            environment !== undefined
              ? { value: environment, source: 'environment', origin: 'VARIABLE' }
              : stored !== undefined
                ? { value: stored, source: 'database' }
                : file !== undefined
                  ? { value: file, source: 'file', origin: 'file' }
                  : { value: preset, source: 'default' };
          expect(layered).toEqual(expected);
        },
      ),
    );
  });

  it('lets no lower layer step in for a value that cannot be read', () => {
    const field: FieldDefinition = { name: 'max', type: 'integer', description: '', default: 1 };
    const layered = layerField(field, { environment: overlayOf('max', 'many', 'VARIABLE'), stored: { max: 2 } });
    expect(layered).toEqual({
      value: undefined,
      source: 'environment',
      origin: 'VARIABLE',
      problem: 'must be a whole number',
    });
  });
});
