import { readFile, stat } from 'node:fs/promises';
import { KmsError } from '../kms-error';

/** A file that something else keeps up to date: a mounted secret, a projected token, the sink of a Vault agent. */
export class SecretFile {
  private seen: string | undefined;

  /**
   * @param kms `<type>:<target>`, for messages
   * @param field the setting that names the file
   */
  constructor(
    private readonly kms: string,
    private readonly field: string,
    private readonly path: string,
  ) {}

  /** @throws KmsError `kms-unauthenticated` when it cannot be read or is empty */
  async read(): Promise<string> {
    try {
      const mark = await this.mark();
      const text = (await readFile(this.path, 'utf8')).trim();
      if (text !== '') {
        this.seen = mark;
        return text;
      }
    } catch (cause) {
      throw new KmsError('kms-unauthenticated', `${this.kms}: the file of ${this.field} cannot be read`, {
        cause,
        remedy: `Make the file readable, or correct ${this.field}.`,
      });
    }
    throw new KmsError('kms-unauthenticated', `${this.kms}: the file of ${this.field} is empty`, {
      remedy: `Write the secret into the file, or correct ${this.field}.`,
    });
  }

  /** Whether it is another file than the one last read; a file that is missing for a moment has not changed. */
  async hasChanged(): Promise<boolean> {
    return (await this.mark().catch(() => this.seen)) !== this.seen;
  }

  private async mark(): Promise<string> {
    const { mtimeMs, size, ino } = await stat(this.path);
    return `${mtimeMs}:${size}:${ino}`;
  }
}
