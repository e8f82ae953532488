import type { ConfigReadout, EffectiveField, FieldValue } from '../../config/subsystem';
import { AdminError } from '../admin-error';

/** One document as a line of MinIO's configuration text: `kms_vault:eu endpoint=https://… comment="two words"`. */
export interface ConfigLine {
  readonly subsystem: string;
  /** `_` where the text names none, which means the default target. */
  readonly target: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** What `mc admin config reset` names: a document, or some fields of it. */
export interface ConfigSelection {
  readonly subsystem: string;
  readonly target: string;
  readonly fields: readonly string[];
}

const UNNAMED_TARGET = '_';
const NAME = /([a-z][a-z0-9_]*)(?::([A-Za-z0-9_][A-Za-z0-9_.-]*)?)?(?=\s|$)/y;
const FIELD = /([A-Za-z_][A-Za-z0-9_]*)[ \t]*=/y;
const BLANKS = /[ \t\r]+/y;
const BLANK_LINES = /(?:\s+|#[^\n]*(?:\n|$))*/y;
/** mc joins its arguments by blanks, quotes gone; so an unquoted value goes on up to the next `field=` or the line's end. */
const BARE_VALUE = /[^\n]*?(?=[ \t\r]+[A-Za-z_][A-Za-z0-9_]*=|[ \t\r]*(?:\n|$))/y;
const DOUBLE_QUOTED = /"((?:[^"\\]|\\[\s\S])*)"(?=\s|$)/y;
const SINGLE_QUOTED = /'([^']*)'(?=\s|$)/y;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '"': '"', '\\': '\\' };

/**
 * Reads configuration text: a document a line, `#` comments, values bare, or quoted where they hold line breaks.
 *
 * @throws AdminError `InvalidPayload` naming the line
 */
export function parseConfigText(text: string): ConfigLine[] {
  const lines: ConfigLine[] = [];
  let position = skip(BLANK_LINES, text, 0);
  while (position < text.length) {
    const named = readName(text, position);
    const fields: Record<string, string> = {};
    position = skip(BLANKS, text, named.end);
    while (position < text.length && text[position] !== '\n') {
      const field = match(FIELD, text, position);
      if (field === null) {
        throw malformed(text, position, 'expected field=value');
      }
      const name = (field[1] ?? '').toLowerCase();
      if (Object.hasOwn(fields, name)) {
        throw malformed(text, position, `${name} is given twice`);
      }
      const value = readValue(text, position + field[0].length);
      fields[name] = value.text;
      position = skip(BLANKS, text, value.end);
    }
    lines.push({ subsystem: named.subsystem, target: named.target, fields });
    position = skip(BLANK_LINES, text, position);
  }
  return lines;
}

/**
 * Reads `subsystem[:target] [field …]`.
 *
 * @throws AdminError `InvalidPayload`
 */
export function parseConfigSelection(text: string): ConfigSelection {
  const trimmed = text.trim();
  const { subsystem, target, end } = readName(trimmed, 0);
  const fields = trimmed.slice(end).split(/\s+/).filter(Boolean);
  if (!fields.every((field) => /^\w+$/.test(field))) {
    throw malformed(trimmed, end, 'expected names of fields');
  }
  return { subsystem, target, fields };
}

/**
 * Prints a document with all its fields. Fields that the environment pins stand above it as comments, in MinIO's spelling
 * where the variable is one of MinIO's, so that its clients can tell them from stored values.
 *
 * @param whenDisabled what becomes of a document that is switched off: MinIO says so in the line, or comments it out
 */
export function printDocument(readout: ConfigReadout, whenDisabled: 'say' | 'comment'): string {
  const name = nameOf(readout);
  const all = Object.entries(readout.fields).filter(([field]) => field !== 'enabled');
  const pinned = all.filter(([, { source }]) => source === 'environment');
  const own = all.filter(([, { source }]) => source !== 'environment');
  const fields = own.map(([field, { value }]) => `${field}=${printValue(value)}`);
  const state = !readout.enabled && whenDisabled === 'say' ? ['enable=off'] : [];
  const mark = !readout.enabled && whenDisabled === 'comment' ? '# ' : '';
  const line = `${mark}${[name, ...state, ...fields].join(' ')}`;
  return [...pinned.map((field) => printPinned(readout, field)), line].map((each) => `${each}\n`).join('');
}

/** Prints the fields that a change left behind. */
export function printFields(subsystem: string, target: string, fields: Readonly<Record<string, FieldValue>>): string {
  const printed = Object.entries(fields).map(([field, value]) => `${field}=${printValue(value)}`);
  return [nameOf({ subsystem, target }), ...printed].join(' ');
}

function nameOf({ subsystem, target }: { readonly subsystem: string; readonly target: string }): string {
  return target === 'default' ? subsystem : `${subsystem}:${target}`;
}

function printPinned(readout: ConfigReadout, [field, { value, origin }]: [string, EffectiveField]): string {
  const minio = `MINIO_${readout.subsystem.toUpperCase()}_`;
  const text = String(value ?? '').replace(/\s+/g, ' ');
  // Clients refuse a whole document over a MINIO_ variable that does not bear the name of its subsystem.
  return origin === undefined || (origin.startsWith('MINIO_') && !origin.startsWith(minio))
    ? `# ${field} is set by ${origin ?? 'the environment'}: ${text}`
    : `# ${origin}=${text}`;
}

function printValue(value: FieldValue | undefined): string {
  if (typeof value === 'boolean') {
    return value ? 'on' : 'off';
  }
  const text = String(value ?? '');
  if (!/[\s"'\\]/.test(text)) {
    return text;
  }
  const escaped = text
    .replace(/["\\]/g, '\\$&')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replaceAll('\t', '\\t');
  return `"${escaped}"`;
}

function readName(text: string, position: number): { subsystem: string; target: string; end: number } {
  const name = match(NAME, text, position);
  if (name === null) {
    throw malformed(text, position, 'expected subsystem or subsystem:target');
  }
  return { subsystem: name[1] ?? '', target: name[2] ?? UNNAMED_TARGET, end: position + name[0].length };
}

function readValue(text: string, position: number): { text: string; end: number } {
  const quoted = match(DOUBLE_QUOTED, text, position);
  if (quoted !== null) {
    const inner = quoted[1] ?? '';
    return {
      text: inner.replace(/\\([nrt"\\])/g, (_whole, escape: string) => ESCAPES[escape] ?? escape),
      end: position + quoted[0].length,
    };
  }
  const single = match(SINGLE_QUOTED, text, position);
  if (single !== null) {
    return { text: single[1] ?? '', end: position + single[0].length };
  }
  if (text[position] === '"') {
    throw malformed(text, position, 'a quoted value does not end');
  }
  const bare = match(BARE_VALUE, text, position)?.[0] ?? '';
  return { text: bare.trim(), end: position + bare.length };
}

function match(pattern: RegExp, text: string, position: number): RegExpExecArray | null {
  pattern.lastIndex = position;
  return pattern.exec(text);
}

function skip(pattern: RegExp, text: string, position: number): number {
  return position + (match(pattern, text, position)?.[0].length ?? 0);
}

function malformed(text: string, position: number, expectation: string): AdminError {
  const line = text.slice(0, position).split('\n').length;
  return new AdminError('InvalidPayload', `Line ${line} of the configuration is malformed: ${expectation}`, [], {
    remedy: 'Write kms_vault[:target] field=value field="a longer value", a document a line',
  });
}
