import { Injectable } from '@nestjs/common';
import { ConfigJournal } from '../../config/config-journal';
import { ConfigManager } from '../../config/config-manager';
import type { ConfigReadout, SetOptions, SubsystemDefinition } from '../../config/subsystem';
import { DomainError } from '../../common/domain-error';
import { AdminError } from '../admin-error';
import { definitionOf, helpOfAll, helpOfOne } from './config-help';
import type { ConfigHelpDto, HelpConfigKvQuery } from './config-kv.dto';
import { parseConfigSelection, parseConfigText, printDocument, printFields, type ConfigLine } from './config-text';

const DEFAULT_TARGET = 'default';

/** An entry of the history in MinIO's shape. */
export interface HistoryKvEntry {
  readonly restoreId: string;
  readonly createTime: string;
  readonly data: string;
}

/** The configuration as MinIO's clients know it: lines of text, over the same documents as everywhere else. */
@Injectable()
export class ConfigKvService {
  constructor(
    private readonly config: ConfigManager,
    private readonly journal: ConfigJournal,
  ) {}

  /**
   * Prints all documents of a subsystem, or one.
   *
   * @param key `subsystem`, `subsystem:` for its default target, or `subsystem:target`
   * @throws ConfigError `config-unknown-subsystem`, `config-not-found`
   */
  async print(key: string): Promise<string> {
    const [subsystem = '', target] = key.split(':');
    const definition = await definitionOf(this.config, subsystem);
    const documents = await this.config.list(subsystem);
    if (target === undefined) {
      const whole = documents.some((document) => document.target === DEFAULT_TARGET)
        ? documents
        : [blank(definition), ...documents];
      return whole.map((document) => printDocument(document, 'say')).join('');
    }
    const wanted = target === '' || target === '_' ? DEFAULT_TARGET : target;
    const found = documents.find((document) => document.target === wanted);
    if (found === undefined && wanted !== DEFAULT_TARGET) {
      return printDocument(await this.config.get(subsystem, wanted), 'say');
    }
    return printDocument(found ?? blank(definition), 'say');
  }

  /** Prints every document; those that are switched off as comments. */
  async printAll(): Promise<string> {
    return (await this.config.list()).map((document) => printDocument(document, 'comment')).join('');
  }

  /** Merges fields into the documents that a text names. Changes nothing unless all of them are sound. */
  async set(text: string, options: SetOptions): Promise<void> {
    await this.apply(parseConfigText(text), options);
  }

  /**
   * Replaces the documents that a text names; those it does not name stay, because the text may come from a listing that
   * had fewer. Documents that are already so are passed over.
   */
  async replace(text: string, options: SetOptions): Promise<void> {
    const lines = parseConfigText(text);
    const present = new Map((await this.config.list()).map((document) => [addressOf(document), document]));
    const changed = lines.filter((line) => !isSame(line, present.get(addressOf(line))));
    await this.apply(changed, { ...options, replace: true });
  }

  /** Deletes a document, or takes fields out of it. One that is not there is as good as deleted. */
  async reset(text: string, options: SetOptions): Promise<void> {
    const { subsystem, target, fields } = parseConfigSelection(text);
    await definitionOf(this.config, subsystem);
    if (fields.length > 0) {
      const blanks = Object.fromEntries(fields.map((field) => [field, null]));
      await this.config.set(subsystem, target, blanks, options);
      return;
    }
    await this.config.delete(subsystem, target, options).catch((error: unknown) => {
      if (!(error instanceof DomainError && error.kind === 'config-not-found')) {
        throw error;
      }
    });
  }

  /** @throws ConfigError `config-unknown-subsystem`; AdminError for an unknown field */
  async help({ subSys = '', key = '', env }: HelpConfigKvQuery): Promise<ConfigHelpDto> {
    if (subSys === '') {
      return helpOfAll(this.config.subsystems());
    }
    const definition = await definitionOf(this.config, subSys.split(':')[0] ?? '');
    const help = await helpOfOne(definition, key, env !== undefined);
    if (help.keysHelp.length === 0) {
      throw new AdminError('InvalidRequest', `${definition.name} has no field "${key}"`);
    }
    return help;
  }

  /** The latest changes, oldest first as MinIO lists them, each with the document it left behind. */
  async history(count: number): Promise<HistoryKvEntry[]> {
    const entries = await this.journal.list(count);
    return entries
      .map(({ version, changedAt, subsystem, target, fields }) => ({
        restoreId: String(version),
        createTime: changedAt.toISOString(),
        data: fields === undefined ? `# ${subsystem}:${target} was reset` : printFields(subsystem, target, fields),
      }))
      .reverse();
  }

  /** @throws ConfigError `config-not-found`, and what a change may throw */
  async restore(restoreId: string, options: SetOptions): Promise<void> {
    await this.journal.restore(Number(restoreId), options);
  }

  /** Hides one entry of the history, or `all` up to now, from MinIO's clients. */
  async clear(restoreId: string, hiddenBy: string): Promise<void> {
    await (restoreId === 'all' ? this.journal.hideAll(hiddenBy) : this.journal.hide(Number(restoreId), hiddenBy));
  }

  private async apply(lines: readonly ConfigLine[], options: SetOptions): Promise<void> {
    if (lines.length > 1) {
      await this.requireSound(lines);
    }
    for (const { subsystem, target, fields } of lines) {
      await this.config.set(subsystem, target, fields, options);
    }
  }

  /** Several documents cannot be written as one; so at least none is begun while another is known to fail. */
  private async requireSound(lines: readonly ConfigLine[]): Promise<void> {
    for (const { subsystem, target, fields } of lines.filter((line) => !isSwitchedOff(line))) {
      const report = await this.config.test(subsystem, target, fields);
      const failed = report.steps.find((step) => step.outcome === 'failed');
      if (!report.ok) {
        const reason = failed === undefined ? 'its test failed' : `${failed.name}: ${failed.detail}`;
        throw new AdminError('InvalidRequest', `Nothing was changed, because of ${subsystem}:${target}: ${reason}`);
      }
    }
  }
}

function addressOf({ subsystem, target }: { readonly subsystem: string; readonly target: string }): string {
  return `${subsystem}:${target === '_' ? DEFAULT_TARGET : target}`;
}

function isSwitchedOff({ fields }: ConfigLine): boolean {
  return /^(off|false|0|no)$/i.test(fields['enabled'] ?? fields['enable'] ?? '');
}

/** Whether a line says nothing but what the document shows. */
function isSame(line: ConfigLine, document: ConfigReadout | undefined): boolean {
  const printed = document === undefined ? '' : printDocument(document, 'say');
  const [shown] = parseConfigText(printed);
  const { enable, enabled = enable, ...fields } = line.fields;
  return (
    document !== undefined &&
    shown !== undefined &&
    isSwitchedOff({ ...line, fields: { enabled: enabled ?? '' } }) === !document.enabled &&
    Object.entries(fields).every(([name, value]) => shown.fields[name] === value) &&
    Object.entries(shown.fields).every(([name, value]) => name === 'enable' || value === '' || name in fields)
  );
}

/** What a document looks like before anybody has written it. */
function blank(definition: SubsystemDefinition): ConfigReadout {
  const fields = definition.fields.map((field) => [
    field.name,
    { value: field.default, source: 'default' as const, secret: field.secret === true },
  ]);
  return {
    subsystem: definition.name,
    target: DEFAULT_TARGET,
    version: 0,
    enabled: false,
    fields: Object.fromEntries(fields) as ConfigReadout['fields'],
  };
}
