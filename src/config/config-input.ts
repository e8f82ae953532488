import { nearestName } from '../settings/nearest-name';
import { ConfigError, invalidConfig } from './config-error';
import { documentName, fieldsOf, findField, MASK, type ClearFields, type DocumentAddress } from './config-document';
import { findOverlayValue, layerField, type ConfigLayers } from './config-overlay';
import { coerceField } from './field-coercion';
import type { FieldDefinition, FieldProblem, FieldValue, SubsystemDefinition } from './subsystem';

/** What an input says of the fields it names. */
export interface ConfigInput {
  readonly values: ReadonlyMap<string, FieldValue>;
  /** Fields to take out of the stored document, so that lower layers show. */
  readonly removed: ReadonlySet<string>;
  /** Secrets sent blank or masked: whatever is stored stays. */
  readonly kept: ReadonlySet<string>;
}

/**
 * Reads a set of raw values: finds fields by name or older spelling and brings values into canonical form. `null`, and a
 * blank for a field that is no secret, remove the field; `undefined` is passed over.
 *
 * @throws ConfigError `config-unknown-field` (details: field, nearest), `config-invalid` with every wrong field
 */
export function parseConfigInput(
  definition: SubsystemDefinition,
  address: DocumentAddress,
  raw: Readonly<Record<string, unknown>>,
): ConfigInput {
  const values = new Map<string, FieldValue>();
  const removed = new Set<string>();
  const kept = new Set<string>();
  const problems: FieldProblem[] = [];
  for (const [name, given] of Object.entries(raw)) {
    const field = findField(definition, name) ?? unknownField(definition, name);
    if (given === undefined) {
      continue;
    }
    const blank = typeof given === 'string' && given.trim() === '';
    if (field.secret === true && (blank || given === MASK)) {
      kept.add(field.name);
    } else if (given === null || blank) {
      removed.add(field.name);
    } else {
      const coerced = coerceField(field, given);
      if ('problem' in coerced) {
        problems.push({ field: name, message: coerced.problem });
      } else if (values.has(field.name) && values.get(field.name) !== coerced.value) {
        problems.push({ field: name, message: `is another name of ${field.name}, which has a different value` });
      } else {
        values.set(field.name, coerced.value);
      }
    }
  }
  if (problems.length > 0) {
    throw invalidConfig(documentName(address), problems);
  }
  return { values, removed, kept };
}

/**
 * Merges an input into the stored fields. Values equal to what the environment pins are not written, so that its secrets
 * never reach the database.
 *
 * @param replace start from nothing but the kept secrets
 * @throws ConfigError `config-environment-override` (details: field, variable) for a value the environment would hide
 */
export function mergeConfigInput(
  definition: SubsystemDefinition,
  input: ConfigInput,
  layers: ConfigLayers,
  replace: boolean,
): ClearFields {
  const stored = layers.stored ?? {};
  const survives = (name: string): boolean => (replace ? input.kept.has(name) : !input.removed.has(name));
  const merged: Record<string, FieldValue> = Object.fromEntries(
    Object.entries(stored).filter(([name]) => survives(name)),
  );
  for (const field of fieldsOf(definition)) {
    const value = input.values.get(field.name);
    if (value === undefined) {
      continue;
    }
    if (isPinned(field, layers)) {
      requireSame(field, value, layers);
    } else {
      merged[field.name] = value;
    }
  }
  return merged;
}

function isPinned(field: FieldDefinition, layers: ConfigLayers): boolean {
  return findOverlayValue(field, layers.environment) !== undefined;
}

function requireSame(field: FieldDefinition, value: FieldValue, layers: ConfigLayers): void {
  const pinned = layerField(field, layers);
  if (pinned.value !== value) {
    const variable = pinned.origin ?? '';
    throw new ConfigError(
      'config-environment-override',
      `${field.name} is set by ${variable} and cannot be changed here`,
      {
        details: { field: field.name, variable },
        remedy: `Remove ${variable} from the environment and restart, or leave ${field.name} out`,
      },
    );
  }
}

function unknownField(definition: SubsystemDefinition, name: string): never {
  const known = fieldsOf(definition);
  const nearest = nearestName(
    name,
    known.flatMap((field) => [field.name, ...(field.aliases ?? [])]),
  );
  throw new ConfigError(
    'config-unknown-field',
    `${definition.name} has no field "${name}"${nearest === undefined ? '' : `; did you mean "${nearest}"?`}`,
    {
      details: { field: name, ...(nearest === undefined ? {} : { nearest }) },
      remedy: `Fields: ${known.map((field) => field.name).join(', ')}`,
    },
  );
}
