import type { Settings } from '../settings/settings';
import { documentName, type DocumentAddress, type StoredDocument } from './config-document';
import { ConfigError } from './config-error';
import { layersOf, type ConfigLayers } from './config-overlay';
import type { ConfigRepository } from './config.repository';
import type { ConfigSealer } from './config-sealer';
import { effectiveDocument, toApplied, toReadout, type EffectiveDocument } from './effective-document';
import type { AppliedConfig, ConfigReadout, SubsystemDefinition } from './subsystem';
import type { SubsystemRegistry } from './subsystem-registry';

/** A document's stored fields in clear, between the layers above and below it. */
export interface OpenDocument {
  readonly stored: StoredDocument | undefined;
  readonly layers: ConfigLayers;
  /** Stored secrets that the root key does not open. */
  readonly unreadable: readonly string[];
}

/** A place where a document is, with what is stored there if anything. */
export interface LocatedDocument {
  readonly address: DocumentAddress;
  readonly stored: StoredDocument | undefined;
}

/** Reads documents with all their layers, and presents them. */
export class ConfigDocuments {
  /** Documents that environment or file define, whether stored or not. */
  readonly overlaid: readonly DocumentAddress[];

  constructor(
    private readonly registry: SubsystemRegistry,
    private readonly repository: ConfigRepository,
    private readonly sealer: ConfigSealer,
    private readonly overlays: Settings['configOverlays'],
  ) {
    const names = new Set([...overlays.environment.keys(), ...overlays.file.keys()]);
    this.overlaid = [...names].map((name) => {
      const colon = name.indexOf(':');
      return { subsystem: name.slice(0, colon), target: name.slice(colon + 1) };
    });
  }

  /** Every document of every layer, in order of name. */
  async all(): Promise<readonly LocatedDocument[]> {
    const found = new Map<string, LocatedDocument>();
    for (const address of this.overlaid) {
      found.set(documentName(address), { address, stored: undefined });
    }
    for (const stored of await this.repository.findAll()) {
      const address = { subsystem: stored.subsystem, target: stored.target };
      found.set(documentName(address), { address, stored });
    }
    return [...found].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, document]) => document);
  }

  async read(address: DocumentAddress): Promise<OpenDocument> {
    return this.open(address, await this.repository.find(address));
  }

  /** @throws ConfigError `config-not-found` when no layer knows the document */
  requirePresent(address: DocumentAddress, stored: StoredDocument | undefined): void {
    if (!this.isPresent(address, stored)) {
      throw new ConfigError('config-not-found', `${documentName(address)} is not configured`, {
        details: { subsystem: address.subsystem, target: address.target },
      });
    }
  }

  effective(definition: SubsystemDefinition, { address, stored }: LocatedDocument): EffectiveDocument {
    const { layers, unreadable } = this.open(address, stored);
    return effectiveDocument(definition, address, layers, stored?.version ?? 0, unreadable);
  }

  /** What the owning module is told; `undefined` when no layer knows the document or nobody registered its subsystem. */
  applied(address: DocumentAddress, stored: StoredDocument | undefined): AppliedConfig | undefined {
    const definition = this.registry.find(address.subsystem);
    if (definition === undefined || !this.isPresent(address, stored)) {
      return undefined;
    }
    return toApplied(definition, this.effective(definition, { address, stored }));
  }

  readout(definition: SubsystemDefinition, document: LocatedDocument): ConfigReadout {
    return toReadout(definition, this.effective(definition, document), document.stored);
  }

  private open(address: DocumentAddress, stored: StoredDocument | undefined): OpenDocument {
    const opened = stored === undefined ? undefined : this.sealer.open(address, stored.fields);
    return {
      stored,
      layers: layersOf(this.overlays, address, opened?.values),
      unreadable: opened?.unreadable ?? [],
    };
  }

  private isPresent(address: DocumentAddress, stored: StoredDocument | undefined): boolean {
    const name = documentName(address);
    return stored !== undefined || this.overlays.environment.has(name) || this.overlays.file.has(name);
  }
}
