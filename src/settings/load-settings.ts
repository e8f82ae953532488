import 'reflect-metadata';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { validateSync } from 'class-validator';
import { Secret } from '../common/secret';
import {
  environmentOverlay,
  findPinnedField,
  foreignVariableWarnings,
  overlayVariableNames,
} from './environment-overlay';
import { nearestName } from './nearest-name';
import { readSetting, type SettingValue } from './setting-value';
import { SettingsError } from './settings-error';
import { readSettingsFile } from './settings-file';
import { CONFIG_FILE_VARIABLE, SETTINGS, type SettingVariable } from './settings-table';
import { SettingsDto } from './settings.dto';
import { Settings } from './settings';
import { environmentSource, type SourcedText, type VariableSource } from './variable-source';

const OWN_PREFIX = 'STRONGROOM_';
const MAX_SHOWN = 120;

/**
 * Reads every static setting: process environment, then `.env` in `cwd`, then the file STRONGROOM_CONFIG_FILE names, then
 * defaults. Writes nothing and contacts nothing.
 *
 * @param cwd relative paths are taken from here
 * @throws SettingsError naming every wrong setting at once; values of secrets are never shown
 */
export function loadSettings(env: NodeJS.ProcessEnv = process.env, cwd: string = process.cwd()): Settings {
  const problems: string[] = [];
  const environment = environmentSource(env, cwd, problems);
  const file = readSettingsFile(environment.get(CONFIG_FILE_VARIABLE)?.text, cwd, problems);
  const given = new Map<string, SourcedText>();
  for (const variable of SETTINGS) {
    const text = pick(variable, environment, problems) ?? file.settings.get(variable.fileKey ?? '');
    if (text !== undefined) {
      given.set(variable.property, text);
    }
  }
  const values = checkedValues(given, cwd, problems);
  checkTogether(values, given, problems);
  const overlay = environmentOverlay(environment, cwd, problems);
  checkNames(environment, problems);
  if (problems.length > 0) {
    throw new SettingsError(problems);
  }
  return toSettings(values, { environment: overlay, file: file.overlay }, foreignVariableWarnings(environment));
}

function pick(variable: SettingVariable, source: VariableSource, problems: string[]): SourcedText | undefined {
  let chosen: SourcedText | undefined;
  for (const name of [variable.name, ...variable.aliases]) {
    const candidate = source.get(name);
    if (candidate === undefined) {
      continue;
    }
    if (chosen !== undefined && !sameSetting(variable, chosen.text, candidate.text)) {
      const values = variable.secret === true ? 'values not shown' : `"${chosen.text}" and "${candidate.text}"`;
      problems.push(
        `${chosen.origin} and ${candidate.origin} mean the same setting but differ (${values}); keep one of them`,
      );
    }
    chosen ??= candidate;
  }
  return chosen;
}

function sameSetting(variable: SettingVariable, left: string, right: string): boolean {
  const read = (text: string): string => JSON.stringify(readSetting(variable, text, '/') ?? text);
  return left === right || read(left) === read(right);
}

function checkedValues(given: ReadonlyMap<string, SourcedText>, cwd: string, problems: string[]): SettingsDto {
  const values = new SettingsDto();
  const unreadable = new Set<string>();
  for (const variable of SETTINGS) {
    const text = given.get(variable.property)?.text ?? variable.default;
    const value: SettingValue | undefined = text === undefined ? undefined : readSetting(variable, text, cwd);
    if (text !== undefined && value === undefined) {
      unreadable.add(variable.property);
    }
    Object.assign(values, { [variable.property]: value });
  }
  for (const failure of validateSync(values, { forbidUnknownValues: true })) {
    unreadable.add(failure.property);
  }
  for (const variable of SETTINGS.filter((candidate) => unreadable.has(candidate.property))) {
    problems.push(describeProblem(variable, given.get(variable.property)));
  }
  return values;
}

function describeProblem(variable: SettingVariable, given: SourcedText | undefined): string {
  const origin = given?.origin ?? variable.name;
  const shown = variable.secret === true ? ' (value not shown)' : `="${(given?.text ?? '').slice(0, MAX_SHOWN)}"`;
  const remedy = variable.default === undefined ? 'or remove it' : `or remove it to use ${variable.default}`;
  return `${origin}${shown}: expected ${variable.rule}; correct it, ${remedy}`;
}

function checkTogether(values: SettingsDto, given: ReadonlyMap<string, SourcedText>, problems: string[]): void {
  const pairs = [
    ['tlsCertFile', 'STRONGROOM_TLS_CERT_FILE', 'tlsKeyFile', 'STRONGROOM_TLS_KEY_FILE'],
    ['rootUser', 'STRONGROOM_ROOT_USER', 'rootPassword', 'STRONGROOM_ROOT_PASSWORD'],
  ] as const;
  for (const [left, leftName, right, rightName] of pairs) {
    const present = given.get(left) ?? given.get(right);
    if (present !== undefined && given.has(left) !== given.has(right)) {
      const missing = given.has(left) ? rightName : leftName;
      problems.push(`${present.origin} is set without its companion; set ${missing} too, or remove both`);
    }
  }
  for (const property of ['tlsCertFile', 'tlsKeyFile'] as const) {
    const path = values[property];
    if (path !== undefined && !isReadable(path)) {
      problems.push(
        `${given.get(property)?.origin ?? property}="${path}" cannot be read; correct the path or its permissions`,
      );
    }
  }
}

function checkNames(source: VariableSource, problems: string[]): void {
  const known = new Set([
    CONFIG_FILE_VARIABLE,
    ...SETTINGS.flatMap((variable) => [variable.name, ...variable.aliases]),
  ]);
  for (const [name, { origin }] of source) {
    if (name === 'VAULT_SKIP_VERIFY') {
      problems.push(
        `${origin} turns certificate checks off for every Vault connection; remove it, and if one Vault must go unchecked ` +
          'set tls_skip_verify of that document',
      );
    }
    if (name.startsWith(OWN_PREFIX) && !known.has(name) && findPinnedField(name) === undefined) {
      const nearest = nearestName(
        name,
        [...known, ...overlayVariableNames()].filter((other) => other.startsWith(OWN_PREFIX)),
      );
      problems.push(
        `${origin} is not a setting${nearest === undefined ? '; remove it' : `; did you mean ${nearest}?`}`,
      );
    }
  }
}

function toSettings(
  values: SettingsDto,
  configOverlays: Settings['configOverlays'],
  warnings: readonly string[],
): Settings {
  return new Settings({
    host: values.address.host,
    port: values.address.port,
    dataDir: values.dataDir,
    blobDir: values.blobDir ?? join(values.dataDir, 'blobs'),
    databaseUrl: secret(values.databaseUrl),
    databasePoolSize: values.databasePoolSize,
    workers: values.workers,
    region: values.region,
    s3Domains: values.s3Domains ?? [],
    tls:
      values.tlsCertFile === undefined || values.tlsKeyFile === undefined
        ? undefined
        : { certFile: values.tlsCertFile, keyFile: values.tlsKeyFile },
    rootUser: values.rootUser,
    rootPassword: secret(values.rootPassword),
    rootKey: secret(values.rootKey),
    kmsBackupDir: values.kmsBackupDir,
    kmsBackupKek: secret(values.kmsBackupKek),
    kmsBackupKekId: values.kmsBackupKekId,
    kmsBackupKekVersion: values.kmsBackupKekVersion,
    rootKeyFile: values.rootKeyFile ?? join(values.dataDir, 'root.key'),
    autoEncryption: values.autoEncryption,
    defaultObjectOwnership: values.defaultObjectOwnership,
    inlineLimit: values.inlineLimit,
    dareCipher: values.dareCipher,
    clockSkewSeconds: values.clockSkewSeconds,
    drainSeconds: values.drainSeconds,
    lifecycleIntervalSeconds: values.lifecycleIntervalSeconds,
    lifecycleDaySeconds: values.lifecycleDaySeconds,
    scrubIntervalSeconds: values.scrubIntervalSeconds,
    scrubRate: values.scrubRate,
    auditRetentionSeconds: values.auditRetentionSeconds,
    rustfsKmsHeaders: values.rustfsKmsHeaders,
    logLevel: values.logLevel,
    logFormat: values.logFormat ?? (process.stdout.isTTY ? 'pretty' : 'json'),
    configOverlays,
    warnings,
  });
}

function secret(text: string | undefined): Secret | undefined {
  return text === undefined ? undefined : new Secret(text);
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
