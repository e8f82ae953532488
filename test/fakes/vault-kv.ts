import { VaultFault } from './vault-transit';

interface Versioned {
  readonly data: Readonly<Record<string, unknown>>;
  readonly version: number;
}

type Body = Readonly<Record<string, unknown>>;

/** A KV secrets engine of the scripted Vault, in either of its versions. */
export class FakeKv {
  private readonly values = new Map<string, Versioned>();

  constructor(readonly version: '1' | '2') {}

  /** Paths of all values. */
  paths(): string[] {
    return [...this.values.keys()].sort();
  }

  /** Removes a value altogether. */
  remove(path: string): void {
    this.values.delete(path);
  }

  read(path: string): Body {
    const value = this.values.get(path);
    if (!value) {
      throw new VaultFault(404, []);
    }
    return this.version === '1'
      ? value.data
      : { data: value.data, metadata: { version: value.version, destroyed: false, deletion_time: '' } };
  }

  write(path: string, body: Body): Body | undefined {
    const current = this.values.get(path)?.version ?? 0;
    if (this.version === '1') {
      this.values.set(path, { data: body, version: current + 1 });
      return undefined;
    }
    const { data, options } = body;
    const cas = (options as Body | undefined)?.['cas'];
    if (typeof data !== 'object' || data === null) {
      throw new VaultFault(400, ['no data provided']);
    }
    if (cas !== undefined && cas !== current) {
      throw new VaultFault(400, ['check-and-set parameter did not match the current version']);
    }
    this.values.set(path, { data: data as Body, version: current + 1 });
    return { version: current + 1, destroyed: false, deletion_time: '' };
  }

  /** Names below a folder; folders end in a slash. */
  list(folder: string): string[] {
    const prefix = folder === '' ? '' : `${folder.replace(/\/$/, '')}/`;
    const names = [...this.values.keys()]
      .filter((path) => path.startsWith(prefix))
      .map((path) => path.slice(prefix.length).replace(/\/.*$/s, '/'));
    return [...new Set(names)].sort();
  }
}
