import { Inject, Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { annotateAudit } from '../common/audit-trail';
import { Database } from '../database/database';
import { ROOT_KEY } from '../settings/root-key';
import { Settings } from '../settings/settings';
import type { Propagation } from './config-audience';
import { checkCandidate, problemsOf, testDocument } from './config-candidate';
import { diffFields } from './config-diff';
import {
  documentName,
  secretsOf,
  type ClearFields,
  type DocumentAddress,
  type StoredDocument,
} from './config-document';
import { ConfigDocuments, type OpenDocument } from './config-documents';
import { ConfigError, unreadableSecrets, versionConflict } from './config-error';
import { mergeConfigInput, parseConfigInput, type ConfigInput } from './config-input';
import { ConfigSealer } from './config-sealer';
import { ConfigSync } from './config-sync';
import { configChangeCounter } from './config.metrics';
import { ConfigRepository } from './config.repository';
import { effectiveDocument } from './effective-document';
import { SubsystemRegistry } from './subsystem-registry';
import type {
  AppliedConfig,
  ConfigListener,
  ConfigManagerContract,
  ConfigReadout,
  FieldProblem,
  HistoryEntry,
  SetOptions,
  SetResult,
  SubsystemDefinition,
  TestReport,
} from './subsystem';

type RawValues = Readonly<Record<string, unknown>>;

const WRITE_ATTEMPTS = 5;
const HISTORY_LIMIT = 50;
const LONGEST_HISTORY = 1000;

/**
 * Dynamic configuration: documents `subsystem:target` in Postgres, layered under the environment and over the settings
 * file, versioned, sealed, tested before they take effect, and brought to every process. A listener must neither change
 * configuration nor subscribe: both would wait for the listener itself.
 */
@Injectable()
export class ConfigManager implements ConfigManagerContract, OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(ConfigManager.name);
  private readonly registry = new SubsystemRegistry();
  private readonly repository: ConfigRepository;
  private readonly sealer: ConfigSealer;
  private readonly documents: ConfigDocuments;
  private readonly sync: ConfigSync;

  constructor(database: Database, settings: Settings, @Inject(ROOT_KEY) rootKey: Buffer) {
    this.repository = new ConfigRepository(database);
    this.sealer = new ConfigSealer(rootKey);
    this.documents = new ConfigDocuments(this.registry, this.repository, this.sealer, settings.configOverlays);
    this.sync = new ConfigSync(database, this.repository, this.documents.overlaid, (address, stored) =>
      this.documents.applied(address, stored),
    );
  }

  /** Starts to follow changes. Safe to call more than once. */
  async onModuleInit(): Promise<void> {
    await this.sync.start();
  }

  async onModuleDestroy(): Promise<void> {
    await this.sync.stop();
  }

  get appliedVersion(): number {
    return this.sync.appliedVersion;
  }

  register(definition: SubsystemDefinition): void {
    this.registry.add(definition);
    this.sync.invalidate(definition.name);
  }

  subsystems(): readonly SubsystemDefinition[] {
    return this.registry.all();
  }

  async list(subsystem?: string): Promise<readonly ConfigReadout[]> {
    const wanted = subsystem === undefined ? undefined : this.registry.get(subsystem).name;
    const documents = await this.documents.all();
    return documents
      .filter(({ address }) => wanted === undefined || address.subsystem === wanted)
      .flatMap((document) => {
        const definition = this.registry.find(document.address.subsystem);
        return definition === undefined ? [] : [this.documents.readout(definition, document)];
      });
  }

  async get(subsystem: string, target: string): Promise<ConfigReadout> {
    const { definition, address } = this.locate(subsystem, target);
    const stored = await this.repository.find(address);
    this.documents.requirePresent(address, stored);
    return this.documents.readout(definition, { address, stored });
  }

  async set(subsystem: string, target: string, values: RawValues, options: SetOptions): Promise<SetResult> {
    const { definition, address } = this.locate(subsystem, target);
    const input = parseConfigInput(definition, address, values);
    const replace = options.replace === true;
    return this.change(definition, address, 'set', options, ({ layers, unreadable }) => {
      const lost = unreadable.filter((field) => input.kept.has(field) || (!replace && !isSaid(input, field)));
      if (lost.length > 0) {
        throw unreadableSecrets(documentName(address), lost);
      }
      return mergeConfigInput(definition, input, layers, replace);
    });
  }

  async delete(subsystem: string, target: string, options: SetOptions): Promise<void> {
    const { definition, address } = this.locate(subsystem, target);
    for (let attempt = 0; attempt < WRITE_ATTEMPTS; attempt++) {
      const current = await this.documents.read(address);
      requireVersion(address, current.stored, options);
      if (current.stored === undefined) {
        throw this.nothingToDelete(address, current);
      }
      const written = await this.repository.write({
        ...address,
        action: 'delete',
        baseVersion: current.stored.version,
        changedBy: options.changedBy,
        comment: options.comment,
        diff: diffFields(current.layers.stored ?? {}, {}, secretsOf(definition)),
      });
      if (written !== undefined) {
        await this.finish(address, 'delete', written.version, options);
        return;
      }
    }
    throw versionConflict(documentName(address), options.expectedVersion);
  }

  async test(subsystem: string, target: string, unsaved?: RawValues): Promise<TestReport> {
    const { definition, address } = this.locate(subsystem, target);
    const { stored, layers, unreadable } = await this.documents.read(address);
    if (unsaved === undefined) {
      this.documents.requirePresent(address, stored);
    }
    const input = parseConfigInput(definition, address, unsaved ?? {});
    const merged = { ...layers, stored: mergeConfigInput(definition, input, layers, false) };
    const lost = unreadable.filter((field) => !isSaid(input, field));
    return testDocument(definition, effectiveDocument(definition, address, merged, stored?.version ?? 0, lost));
  }

  async history(subsystem: string, target: string, limit = HISTORY_LIMIT): Promise<readonly HistoryEntry[]> {
    const bounded = Math.min(Math.max(1, Math.trunc(limit)), LONGEST_HISTORY);
    return this.repository.history(this.locate(subsystem, target).address, bounded);
  }

  async rollback(subsystem: string, target: string, version: number, options: SetOptions): Promise<SetResult> {
    const { definition, address } = this.locate(subsystem, target);
    const sealed = Number.isSafeInteger(version) ? await this.repository.fieldsAt(address, version) : undefined;
    if (sealed === undefined || sealed === null) {
      const reason = sealed === null ? 'deleted it' : 'does not exist';
      throw new ConfigError('config-not-found', `Version ${version} of ${documentName(address)} ${reason}`, {
        details: { subsystem: address.subsystem, target: address.target, version: String(version) },
        remedy: 'Choose a version of its history that set the document',
      });
    }
    const { values, unreadable } = this.sealer.open(address, sealed);
    if (unreadable.length > 0) {
      throw unreadableSecrets(documentName(address), unreadable);
    }
    // Through the reader of inputs, so that a field or value an older release knew is told instead of carried along.
    const input = parseConfigInput(definition, address, values);
    return this.change(definition, address, 'rollback', options, () => Object.fromEntries(input.values));
  }

  async getKmsConfig(): Promise<readonly AppliedConfig[]> {
    await this.sync.start();
    return this.sync.applied(isKms).filter((applied) => applied.enabled);
  }

  async setKmsConfig(subsystem: string, target: string, values: RawValues, options: SetOptions): Promise<SetResult> {
    if (!isKms(subsystem)) {
      throw new ConfigError('config-unknown-subsystem', `"${subsystem}" is not the configuration of a KMS`, {
        details: { subsystem },
      });
    }
    return this.set(subsystem, target, values, options);
  }

  async validateAllConfigs(): Promise<
    readonly { readonly subsystem: string; readonly target: string; readonly problems: readonly FieldProblem[] }[]
  > {
    const documents = await this.documents.all();
    const checked = documents.map(async (document) => {
      const { subsystem } = document.address;
      const definition = this.registry.find(subsystem);
      const problems =
        definition === undefined
          ? [{ field: 'subsystem', message: `there is no configuration "${subsystem}"` }]
          : await problemsOf(definition, this.documents.effective(definition, document));
      return { ...document.address, problems };
    });
    return (await Promise.all(checked)).filter(({ problems }) => problems.length > 0);
  }

  async subscribe(subsystem: string, listener: ConfigListener): Promise<() => void> {
    return this.sync.subscribe(this.registry.get(subsystem).name, listener);
  }

  private locate(subsystem: string, target: string): { definition: SubsystemDefinition; address: DocumentAddress } {
    return { definition: this.registry.get(subsystem), address: this.registry.address(subsystem, target) };
  }

  private async change(
    definition: SubsystemDefinition,
    address: DocumentAddress,
    action: 'set' | 'rollback',
    options: SetOptions,
    next: (current: OpenDocument) => ClearFields,
  ): Promise<SetResult> {
    const secrets = secretsOf(definition);
    for (let attempt = 0; attempt < WRITE_ATTEMPTS; attempt++) {
      const current = await this.documents.read(address);
      requireVersion(address, current.stored, options);
      const values = next(current);
      const layers = { ...current.layers, stored: values };
      const test = await checkCandidate(definition, address, layers, options.force === true);
      const fields = this.sealer.seal(address, values, secrets);
      const diff = diffFields(current.layers.stored ?? {}, values, secrets);
      annotateAudit({ details: { fields: diff.map(({ field }) => field).join(' ') } });
      const written = await this.repository.write({
        ...address,
        action,
        baseVersion: current.stored?.version ?? 0,
        fields,
        changedBy: options.changedBy,
        comment: options.comment,
        diff,
      });
      if (written !== undefined) {
        const { version, changedAt } = written;
        const propagation = await this.finish(address, action, version, options);
        const stored = { ...address, version, fields, updatedAt: changedAt, updatedBy: options.changedBy };
        return { readout: this.documents.readout(definition, { address, stored }), test, propagation };
      }
    }
    throw versionConflict(documentName(address), options.expectedVersion);
  }

  private async finish(
    address: DocumentAddress,
    action: HistoryEntry['action'],
    version: number,
    options: SetOptions,
  ): Promise<Propagation> {
    configChangeCounter.inc({ action });
    annotateAudit({ resource: documentName(address), details: { action, version: String(version) } });
    this.logger.log(`Configuration ${documentName(address)}: ${action} by ${options.changedBy} is change ${version}`);
    await this.sync.start();
    await this.sync.refresh();
    const propagation = await this.sync.settled(version);
    if (propagation.lagging > 0) {
      this.logger.warn(
        `Change ${version} is not yet applied by ${propagation.lagging} of ${propagation.processes} processes`,
      );
    }
    return propagation;
  }

  private nothingToDelete(address: DocumentAddress, { layers }: OpenDocument): ConfigError {
    const origins = [...(layers.environment ?? []), ...(layers.file ?? [])].map(([, given]) => given.origin);
    if (origins.length === 0) {
      return new ConfigError('config-not-found', `${documentName(address)} is not configured`, {
        details: { subsystem: address.subsystem, target: address.target },
      });
    }
    const variable = origins.join(', ');
    return new ConfigError(
      'config-environment-override',
      `${documentName(address)} is set by ${variable} and cannot be deleted here`,
      { details: { variable }, remedy: 'Remove these settings and restart' },
    );
  }
}

function isKms(subsystem: string): boolean {
  return subsystem.startsWith('kms_');
}

function isSaid(input: ConfigInput, field: string): boolean {
  return input.values.has(field) || input.removed.has(field);
}

/** @throws ConfigError `config-version-conflict` when the caller expected another version */
function requireVersion(address: DocumentAddress, stored: StoredDocument | undefined, options: SetOptions): void {
  const actual = stored?.version ?? 0;
  if (options.expectedVersion !== undefined && options.expectedVersion !== actual) {
    throw versionConflict(documentName(address), options.expectedVersion, actual);
  }
}
