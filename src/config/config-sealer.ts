import { seal, SealedBoxError, unseal } from '../common/sealed-box';
import { documentName, type ClearFields, type DocumentAddress, type SealedFields } from './config-document';
import type { FieldValue } from './subsystem';

/** A document in clear, and the secrets in it that this root key cannot open. */
export interface OpenedFields {
  readonly values: ClearFields;
  readonly unreadable: readonly string[];
}

/** Seals the secret fields of documents under the root key, each bound to its subsystem, target and field. */
export class ConfigSealer {
  constructor(private readonly rootKey: Buffer) {}

  /** @param secrets names of the fields to seal */
  seal(address: DocumentAddress, values: ClearFields, secrets: ReadonlySet<string>): SealedFields {
    return Object.fromEntries(
      Object.entries(values).map(([field, value]) => [
        field,
        secrets.has(field) ? { sealed: this.sealValue(address, field, value) } : value,
      ]),
    );
  }

  /** Opens every sealed field; one that does not open is named instead of failing the whole document. */
  open(address: DocumentAddress, fields: SealedFields): OpenedFields {
    const values: Record<string, FieldValue> = {};
    const unreadable: string[] = [];
    for (const [field, value] of Object.entries(fields)) {
      if (typeof value !== 'object') {
        values[field] = value;
        continue;
      }
      const opened = this.openValue(address, field, value.sealed);
      if (opened === undefined) {
        unreadable.push(field);
      } else {
        values[field] = opened;
      }
    }
    return { values, unreadable };
  }

  private sealValue(address: DocumentAddress, field: string, value: FieldValue): string {
    return seal(this.rootKey, Buffer.from(JSON.stringify(value), 'utf8'), purpose(address, field)).toString('base64');
  }

  private openValue(address: DocumentAddress, field: string, sealed: string): FieldValue | undefined {
    try {
      const opened = unseal(this.rootKey, Buffer.from(sealed, 'base64'), purpose(address, field));
      return JSON.parse(opened.toString('utf8')) as FieldValue;
    } catch (error) {
      if (error instanceof SealedBoxError) {
        return undefined;
      }
      throw error;
    }
  }
}

function purpose(address: DocumentAddress, field: string): string {
  return `config:${documentName(address)}:${field}`;
}
