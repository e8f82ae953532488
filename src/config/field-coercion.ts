import { parseBoolean, parseDuration } from '../settings/units';
import type { FieldDefinition, FieldValue } from './subsystem';

export type Coerced = { readonly value: FieldValue } | { readonly problem: string };

const MAX_TEXT = 256 * 1024;

/**
 * Reads a field from JSON, a `key=value` line or an environment variable into the canonical form of its type
 * (see `FieldType`). The message never repeats a secret.
 */
export function coerceField(field: FieldDefinition, raw: unknown): Coerced {
  if (typeof raw !== 'string' && typeof raw !== 'number' && typeof raw !== 'boolean') {
    return { problem: 'must be a single value, not a list or an object' };
  }
  const text = String(raw).trim();
  if (text.length > MAX_TEXT) {
    return { problem: `must be at most ${MAX_TEXT} characters` };
  }
  if (text.includes('\0')) {
    return { problem: 'must not contain a NUL character' };
  }
  const value = readText(field, text);
  return value === undefined ? { problem: `must be ${expectation(field)}` } : { value };
}

function readText(field: FieldDefinition, text: string): FieldValue | undefined {
  switch (field.type) {
    case 'string':
    case 'path':
      return text;
    case 'boolean':
      return parseBoolean(text);
    case 'integer':
      return /^-?\d{1,15}$/.test(text) ? Number(text) : undefined;
    case 'duration':
      return parseDuration(text) === undefined ? undefined : canonicalDuration(text);
    case 'url':
      return URL.canParse(text) ? text : undefined;
    case 'enum':
      return field.values?.find((value) => value.toLowerCase() === text.toLowerCase());
  }
}

function canonicalDuration(text: string): string {
  const compact = text.replace(/\s+/g, '').toLowerCase();
  return /\d$/.test(compact) ? `${compact}s` : compact;
}

function expectation(field: FieldDefinition): string {
  switch (field.type) {
    case 'boolean':
      return 'on or off';
    case 'integer':
      return 'a whole number';
    case 'duration':
      return 'a duration such as 10s, 250ms or 5m';
    case 'url':
      return 'a URL such as https://host:port';
    case 'enum':
      return `one of ${(field.values ?? []).join(', ')}`;
    default:
      return 'text';
  }
}
