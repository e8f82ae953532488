import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse } from 'yaml';
import { errorCode } from './error-code';
import { nearestName } from './nearest-name';
import type { ConfigOverlay, OverlayValue } from './settings';
import { SETTINGS } from './settings-table';
import type { SourcedText, VariableSource } from './variable-source';

/** What a settings file says: static settings by file key, and fields of dynamic configuration documents. */
export interface SettingsFile {
  readonly settings: VariableSource;
  readonly overlay: ConfigOverlay;
}

const DOCUMENTS_KEY = 'config';
const MAX_ALIASES = 100;

/**
 * Reads a YAML or JSON settings file: the static settings under their file keys, and under `config` the documents of
 * dynamic configuration as `subsystem:target` (`kms_vault` means `kms_vault:default`) with their fields.
 *
 * @param path relative to `cwd`; undefined for no file
 * @param problems receives a line for each thing that is wrong with the file
 */
export function readSettingsFile(path: string | undefined, cwd: string, problems: string[]): SettingsFile {
  const file = { settings: new Map<string, SourcedText>(), overlay: new Map<string, Map<string, OverlayValue>>() };
  if (path === undefined) {
    return file;
  }
  const location = resolve(cwd, path);
  const content = parseFile(location, problems);
  for (const [key, value] of Object.entries(content ?? {})) {
    if (key === DOCUMENTS_KEY) {
      readDocuments(value, location, file.overlay, problems);
    } else {
      readSetting(key, value, location, file.settings, problems);
    }
  }
  return file;
}

function parseFile(location: string, problems: string[]): Record<string, unknown> | undefined {
  let text: string;
  try {
    text = readFileSync(location, 'utf8');
  } catch (error) {
    problems.push(
      `STRONGROOM_CONFIG_FILE="${location}" cannot be read (${errorCode(error)}); correct the path or its permissions`,
    );
    return undefined;
  }
  let content: unknown;
  try {
    content = parse(text, { maxAliasCount: MAX_ALIASES, prettyErrors: false });
  } catch {
    // The parser's message may quote the line, and so a secret.
    problems.push(`STRONGROOM_CONFIG_FILE="${location}" is not valid YAML or JSON; correct the file`);
    return undefined;
  }
  if (content === null || content === undefined) {
    return undefined;
  }
  if (!isRecord(content)) {
    problems.push(`STRONGROOM_CONFIG_FILE="${location}" does not hold a mapping; write one "name: value" a line`);
    return undefined;
  }
  return content;
}

function readSetting(
  key: string,
  value: unknown,
  location: string,
  settings: Map<string, SourcedText>,
  problems: string[],
): void {
  const known = SETTINGS.flatMap((variable) => variable.fileKey ?? []);
  if (!known.includes(key)) {
    const nearest = nearestName(key, [...known, DOCUMENTS_KEY]);
    problems.push(
      `"${key}" in ${location} is not a setting${nearest === undefined ? '' : `; did you mean "${nearest}"?`}`,
    );
    return;
  }
  const text = Array.isArray(value) && value.every(isScalar) ? value.map(String).join(',') : scalarText(value);
  if (text === undefined) {
    problems.push(`"${key}" in ${location} must be a single value, not a mapping`);
  } else if (text.trim() !== '') {
    settings.set(key, { text: text.trim(), origin: `${key} in ${location}` });
  }
}

function readDocuments(
  value: unknown,
  location: string,
  overlay: Map<string, Map<string, OverlayValue>>,
  problems: string[],
): void {
  if (!isRecord(value)) {
    problems.push(`"${DOCUMENTS_KEY}" in ${location} must map documents such as kms_vault:default to their fields`);
    return;
  }
  for (const [name, fields] of Object.entries(value)) {
    const document = name.includes(':') ? name : `${name}:default`;
    if (!isRecord(fields)) {
      problems.push(`"${DOCUMENTS_KEY}.${name}" in ${location} must map field names to values`);
      continue;
    }
    const target = overlay.get(document) ?? new Map<string, OverlayValue>();
    overlay.set(document, target);
    for (const [field, raw] of Object.entries(fields)) {
      const text = scalarText(raw);
      if (text === undefined) {
        problems.push(`"${DOCUMENTS_KEY}.${name}.${field}" in ${location} must be a single value`);
      } else if (text.trim() !== '') {
        target.set(field, { value: text.trim(), origin: `${DOCUMENTS_KEY}.${name}.${field} in ${location}` });
      }
    }
  }
}

function scalarText(value: unknown): string | undefined {
  if (value === null) {
    return '';
  }
  return isScalar(value) ? String(value) : undefined;
}

function isScalar(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
