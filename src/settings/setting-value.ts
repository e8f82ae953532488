import { resolve } from 'node:path';
import type { SettingVariable } from './settings-table';
import { parseBoolean, parseDuration, parseSize } from './units';

export interface Address {
  /** Empty means every interface. */
  readonly host: string;
  readonly port: number;
}

export type SettingValue = string | number | boolean | readonly string[] | Address;

/**
 * Reads the text of a variable by its type: paths become absolute, sizes bytes, durations seconds, words lower-case where
 * case has no meaning. Ranges are the DTO's business.
 *
 * @returns `undefined` when the text cannot be read as the type at all
 */
export function readSetting(variable: SettingVariable, text: string, cwd: string): SettingValue | undefined {
  switch (variable.type) {
    case 'text':
      return text;
    case 'path':
      return resolve(cwd, text);
    case 'integer':
      return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
    case 'boolean':
      return parseBoolean(text);
    case 'size':
      return parseSize(text);
    case 'duration': {
      const milliseconds = parseDuration(text);
      return milliseconds === undefined ? undefined : milliseconds / 1000;
    }
    case 'list':
      return readList(text);
    case 'address':
      return readAddress(text);
    case 'enum': {
      const word = text.toLowerCase();
      return variable.values?.find((value) => value.toLowerCase() === word) ?? variable.synonyms?.[word];
    }
  }
}

function readList(text: string): readonly string[] {
  return text
    .split(',')
    .map((item) => item.trim().toLowerCase())
    .filter((item) => item !== '');
}

function readAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^\s:[\]/]*)):(\d{1,5})$/i.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65535) {
    return undefined;
  }
  return { host: match[1] ?? match[2] ?? '', port };
}
