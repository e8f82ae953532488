import type { ConfigOverlay, OverlayValue } from '../settings/settings';
import { coerceField } from './field-coercion';
import { documentName, type ClearFields, type DocumentAddress } from './config-document';
import type { FieldDefinition, FieldSource, FieldValue } from './subsystem';

/** What each layer says of one document; raw text from outside, canonical values from the database. */
export interface ConfigLayers {
  readonly environment?: ReadonlyMap<string, OverlayValue>;
  readonly stored?: ClearFields;
  readonly file?: ReadonlyMap<string, OverlayValue>;
}

/** The value that won, and where it came from. */
export interface LayeredField {
  readonly value: FieldValue | undefined;
  readonly source: FieldSource;
  readonly origin?: string;
  /** Set when the winning layer's text cannot be read as the field's type; lower layers do not step in for it. */
  readonly problem?: string;
}

/** Picks the layers of one document out of the overlays of environment and file. */
export function layersOf(
  overlays: { readonly environment: ConfigOverlay; readonly file: ConfigOverlay },
  address: DocumentAddress,
  stored: ClearFields | undefined,
): ConfigLayers {
  const name = documentName(address);
  return { environment: overlays.environment.get(name), stored, file: overlays.file.get(name) };
}

/** Layers one field: environment > database > file > default. */
export function layerField(field: FieldDefinition, layers: ConfigLayers): LayeredField {
  const pinned = findOverlayValue(field, layers.environment);
  if (pinned !== undefined) {
    return fromOverlay(field, pinned, 'environment');
  }
  const stored = layers.stored?.[field.name];
  if (stored !== undefined) {
    return { value: stored, source: 'database' };
  }
  const fallback = findOverlayValue(field, layers.file);
  if (fallback !== undefined) {
    return fromOverlay(field, fallback, 'file');
  }
  return { value: field.default, source: 'default' };
}

/** Finds what an overlay says of a field, under its name or an older spelling. */
export function findOverlayValue(
  field: FieldDefinition,
  overlay: ReadonlyMap<string, OverlayValue> | undefined,
): OverlayValue | undefined {
  for (const name of [field.name, ...(field.aliases ?? [])]) {
    const found = overlay?.get(name);
    if (found !== undefined) {
      return found;
    }
  }
  return undefined;
}

function fromOverlay(field: FieldDefinition, given: OverlayValue, source: FieldSource): LayeredField {
  const coerced = coerceField(field, given.value);
  return 'value' in coerced
    ? { value: coerced.value, source, origin: given.origin }
    : { value: undefined, source, origin: given.origin, problem: coerced.problem };
}
