import { OVERLAY_SUBSYSTEMS } from '../settings/overlay-table';
import type { Keyring } from './keyring';
import { KMS_FIELDS } from './kms-settings';
import { providerKinds } from './provider-kinds';

const DEFINITIONS = [
  ...providerKinds({} as Keyring).map(({ subsystem, multipleTargets, fields }) => ({
    subsystem,
    multipleTargets,
    fields,
  })),
  { subsystem: 'kms', multipleTargets: false, fields: KMS_FIELDS },
];

describe('Environment variables of KMS documents', () => {
  it.each(DEFINITIONS)('cover every field of $subsystem', ({ subsystem, multipleTargets, fields }) => {
    const overlay = OVERLAY_SUBSYSTEMS.find((each) => each.subsystem === subsystem);
    expect(overlay).toMatchObject({
      multipleTargets,
      fields: fields.map(({ name }) => name),
      secretFields: fields.filter(({ secret }) => secret === true).map(({ name }) => name),
    });
    expect(fields.map(({ name }) => name)).toEqual(
      expect.arrayContaining((overlay?.aliases ?? []).map(({ field }) => field)),
    );
  });

  it('lead to no field of another document', () => {
    const prefixes = OVERLAY_SUBSYSTEMS.map(({ prefix }) => prefix);
    for (const [index, prefix] of prefixes.entries()) {
      expect(prefixes.slice(index + 1).filter((later) => later.startsWith(prefix))).toEqual([]);
    }
  });
});
