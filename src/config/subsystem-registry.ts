import { nearestName } from '../settings/nearest-name';
import { DEFAULT_TARGET, type DocumentAddress } from './config-document';
import { ConfigError, invalidConfig } from './config-error';
import type { SubsystemDefinition } from './subsystem';

const TARGET = /^[a-z0-9][a-z0-9_-]{0,62}$/;

/** The kinds of configuration that modules have registered. */
export class SubsystemRegistry {
  private readonly definitions = new Map<string, SubsystemDefinition>();

  /** Adds a definition, or replaces the one of the same name. */
  add(definition: SubsystemDefinition): void {
    this.definitions.set(definition.name, definition);
  }

  find(subsystem: string): SubsystemDefinition | undefined {
    return this.definitions.get(subsystem);
  }

  /** Every definition, by name. */
  all(): readonly SubsystemDefinition[] {
    return [...this.definitions.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
  }

  /** @throws ConfigError `config-unknown-subsystem` */
  get(subsystem: string): SubsystemDefinition {
    const definition = this.definitions.get(subsystem);
    if (definition === undefined) {
      const nearest = nearestName(subsystem, this.definitions.keys());
      throw new ConfigError(
        'config-unknown-subsystem',
        `There is no configuration "${subsystem}"${nearest === undefined ? '' : `; did you mean "${nearest}"?`}`,
        {
          details: { subsystem, ...(nearest === undefined ? {} : { nearest }) },
          remedy: `Known: ${[...this.definitions.keys()].sort().join(', ')}`,
        },
      );
    }
    return definition;
  }

  /**
   * Checks a target's name; `_`, MinIO's word for it, means `default`.
   *
   * @throws ConfigError `config-unknown-subsystem`, `config-invalid`
   */
  address(subsystem: string, target: string): DocumentAddress {
    const definition = this.get(subsystem);
    const name = target === '_' || target === '' ? DEFAULT_TARGET : target;
    if (!TARGET.test(name)) {
      throw invalidConfig(subsystem, [
        { field: 'target', message: 'must be 1 to 63 of a-z, 0-9, "-" and "_", starting with a letter or digit' },
      ]);
    }
    if (name !== DEFAULT_TARGET && !definition.multipleTargets) {
      throw invalidConfig(subsystem, [{ field: 'target', message: `can only be "${DEFAULT_TARGET}"` }]);
    }
    return { subsystem, target: name };
  }
}
