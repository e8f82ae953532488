import { nearestName } from '../settings/nearest-name';
import {
  declaresEnabled,
  fieldsOf,
  findField,
  MASK,
  type DocumentAddress,
  type StoredDocument,
} from './config-document';
import { findOverlayValue, layerField, type ConfigLayers, type LayeredField } from './config-overlay';
import type {
  AppliedConfig,
  ConfigReadout,
  EffectiveField,
  FieldProblem,
  FieldValue,
  SubsystemDefinition,
} from './subsystem';

/** One document with every layer applied. */
export interface EffectiveDocument {
  readonly address: DocumentAddress;
  /** 0 when nothing is stored. */
  readonly version: number;
  readonly enabled: boolean;
  readonly fields: ReadonlyMap<string, LayeredField>;
  /** What is wrong with single fields, before they are checked against each other. */
  readonly problems: readonly FieldProblem[];
}

/**
 * Layers a whole document. `enabled`, when no layer says it, is true for a stored document and for one of environment or
 * file that is complete enough to mean it: a lone key name is no endpoint.
 *
 * @param unreadable stored secrets that the root key does not open
 */
export function effectiveDocument(
  definition: SubsystemDefinition,
  address: DocumentAddress,
  layers: ConfigLayers,
  version: number,
  unreadable: readonly string[] = [],
): EffectiveDocument {
  const fields = new Map<string, LayeredField>();
  const problems: FieldProblem[] = [...unknownFields(definition, layers)];
  for (const field of fieldsOf(definition)) {
    const layered = layerField(field, layers);
    fields.set(field.name, layered);
    if (layered.problem !== undefined) {
      problems.push({ field: field.name, message: `${layered.problem} (set by ${layered.origin ?? layered.source})` });
    } else if (layered.source !== 'environment' && unreadable.includes(field.name)) {
      problems.push({ field: field.name, message: 'cannot be opened with this root key; set it again' });
    }
  }
  const said = fields.get('enabled');
  if (said?.source === 'default') {
    fields.set('enabled', { value: isMeant(definition, layers), source: 'default' });
  }
  return { address, version, enabled: fields.get('enabled')?.value === true, fields, problems };
}

/** The values as the owning module wants them: every field, unset ones undefined. */
export function effectiveValues(
  definition: SubsystemDefinition,
  document: EffectiveDocument,
): Record<string, FieldValue | undefined> {
  const wanted = [...document.fields].filter(([name]) => name !== 'enabled' || declaresEnabled(definition));
  return Object.fromEntries(wanted.map(([name, field]) => [name, field.value]));
}

export function toApplied(definition: SubsystemDefinition, document: EffectiveDocument): AppliedConfig {
  return {
    ...document.address,
    version: document.version,
    enabled: document.enabled,
    values: effectiveValues(definition, document),
  };
}

/** The document as an operator may see it: secrets masked, each field with its source. */
export function toReadout(
  definition: SubsystemDefinition,
  document: EffectiveDocument,
  stored: StoredDocument | undefined,
): ConfigReadout {
  const fields = fieldsOf(definition).map((field): [string, EffectiveField] => {
    const layered = document.fields.get(field.name);
    const secret = field.secret === true;
    const value = secret && layered?.value !== undefined ? MASK : layered?.value;
    return [field.name, { value, source: layered?.source ?? 'default', origin: layered?.origin, secret }];
  });
  return {
    ...document.address,
    version: document.version,
    enabled: document.enabled,
    updatedAt: stored?.updatedAt,
    updatedBy: stored?.updatedBy,
    fields: Object.fromEntries(fields),
  };
}

function unknownFields(definition: SubsystemDefinition, layers: ConfigLayers): readonly FieldProblem[] {
  const known = fieldsOf(definition).map((field) => field.name);
  return [...(layers.environment ?? []), ...(layers.file ?? [])]
    .filter(([name]) => findField(definition, name) === undefined)
    .map(([name, { origin }]) => {
      const nearest = nearestName(name, known);
      const hint = nearest === undefined ? '' : `; did you mean ${nearest}?`;
      return { field: name, message: `is not a field of ${definition.name} (set by ${origin})${hint}` };
    });
}

function isMeant(definition: SubsystemDefinition, layers: ConfigLayers): boolean {
  if (layers.stored !== undefined) {
    return true;
  }
  const endpoint = definition.fields.find((field) => field.name === 'endpoint');
  return [layers.environment, layers.file].some((overlay) =>
    endpoint === undefined ? (overlay?.size ?? 0) > 0 : findOverlayValue(endpoint, overlay) !== undefined,
  );
}
