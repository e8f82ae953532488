import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { errorCode } from './error-code';
import { ACCEPTED_FOREIGN_VARIABLE, FOREIGN_KMS_PREFIXES, OVERLAY_SUBSYSTEMS } from './overlay-table';
import type { OverlayAlias, OverlaySubsystem } from './overlay-table';
import type { ConfigOverlay, OverlayValue } from './settings';
import { parseBoolean } from './units';
import type { SourcedText, VariableSource } from './variable-source';

const DEFAULT_TARGET = 'default';

/** Fields that tell how to log in. */
const TELLING_FIELDS = [
  { field: 'auth_approle_id', authType: 'approle' },
  { field: 'auth_kubernetes_role', authType: 'kubernetes' },
  { field: 'auth_jwt_role', authType: 'jwt' },
];

interface PinnedField {
  readonly subsystem: string;
  readonly target: string;
  readonly field: string;
  /** Absent when the variable is the field's own name. */
  readonly alias?: OverlayAlias;
}

/**
 * Collects the fields of dynamic configuration that environment variables pin. When the id or role of a login method is
 * given without a word on the way to log in, that method is meant, as it always was for MinIO's and RustFS's variables.
 *
 * @param problems receives a line for two names that give one field different values, and for an unreadable secret file
 */
export function environmentOverlay(source: VariableSource, cwd: string, problems: string[]): ConfigOverlay {
  const overlay = new Map<string, Map<string, OverlayValue>>();
  for (const [name, given] of source) {
    const pinned = findPinnedField(name);
    const value = pinned && textOf(pinned, given, cwd, problems);
    if (pinned === undefined || value === undefined) {
      continue;
    }
    const key = `${pinned.subsystem}:${pinned.target}`;
    const document = overlay.get(key) ?? new Map<string, OverlayValue>();
    overlay.set(key, document);
    const other = document.get(pinned.field);
    if (other !== undefined && !sameValue(other.value, value)) {
      problems.push(
        `${other.origin} and ${given.origin} both set ${pinned.field} of ${key} but differ (values not shown); keep one of them`,
      );
      continue;
    }
    document.set(pinned.field, other ?? { value, origin: given.origin });
  }
  for (const document of overlay.values()) {
    implyAuthType(document);
  }
  return overlay;
}

/** The document and field an environment variable pins, if any. Of `…_SECRET_FILE` and `…_SECRET` + target `file`, the longer field wins. */
export function findPinnedField(name: string): PinnedField | undefined {
  for (const definition of OVERLAY_SUBSYSTEMS) {
    const alias = definition.aliases.find((candidate) => candidate.name === name);
    if (alias !== undefined) {
      return { subsystem: definition.subsystem, target: DEFAULT_TARGET, field: alias.field, alias };
    }
    if (name.startsWith(definition.prefix)) {
      return findOwnField(definition, name.slice(definition.prefix.length).toLowerCase());
    }
  }
  return undefined;
}

/** Every environment name that pins a field of a default document; for hints about mistyped names. */
export function overlayVariableNames(): readonly string[] {
  return OVERLAY_SUBSYSTEMS.flatMap((definition) => [
    ...definition.fields.map((field) => definition.prefix + field.toUpperCase()),
    ...definition.aliases.map((alias) => alias.name),
  ]);
}

/** A line for each variable of MinIO's and RustFS's KMS families that has no effect here. */
export function foreignVariableWarnings(source: VariableSource): readonly string[] {
  return [...source.entries()]
    .filter(([name]) => FOREIGN_KMS_PREFIXES.some((prefix) => name.startsWith(prefix)))
    .filter(([name]) => name !== ACCEPTED_FOREIGN_VARIABLE && findPinnedField(name) === undefined)
    .map(([, given]) => `${given.origin} has no effect in Strongroom`);
}

function findOwnField(definition: OverlaySubsystem, rest: string): PinnedField | undefined {
  const field = definition.fields
    .filter((candidate) => rest === candidate || rest.startsWith(`${candidate}_`))
    .reduce((longest, candidate) => (candidate.length > longest.length ? candidate : longest), '');
  if (field === '') {
    return undefined;
  }
  const target = rest === field ? DEFAULT_TARGET : rest.slice(field.length + 1);
  const known = target === DEFAULT_TARGET || (definition.multipleTargets && /^[a-z0-9][a-z0-9_]{0,62}$/.test(target));
  return known ? { subsystem: definition.subsystem, target, field } : undefined;
}

/** The text of the field, with its unit or out of its file; `undefined` when the file cannot be read. */
function textOf(pinned: PinnedField, given: SourcedText, cwd: string, problems: string[]): string | undefined {
  const { unit, fromFile } = pinned.alias ?? {};
  if (fromFile !== true) {
    return unit !== undefined && /\d$/.test(given.text) ? given.text + unit : given.text;
  }
  try {
    return readFileSync(resolve(cwd, given.text), 'utf8').trim();
  } catch (error) {
    problems.push(
      `${given.origin}="${given.text}" cannot be read (${errorCode(error)}); correct the path or its permissions`,
    );
    return undefined;
  }
}

function implyAuthType(document: Map<string, OverlayValue>): void {
  const said = ['auth_type', 'token', 'token_file'].some((field) => document.has(field));
  const [told, ...more] = TELLING_FIELDS.filter(({ field }) => document.has(field));
  const origin = told && document.get(told.field)?.origin;
  if (!said && told && origin !== undefined && more.length === 0) {
    document.set('auth_type', { value: told.authType, origin });
  }
}

function sameValue(left: string, right: string): boolean {
  if (left === right) {
    return true;
  }
  const word = parseBoolean(left);
  return word !== undefined && word === parseBoolean(right);
}
