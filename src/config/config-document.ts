import type { FieldDefinition, FieldValue, SubsystemDefinition } from './subsystem';

export const DEFAULT_TARGET = 'default';

/** MinIO's mask; sent back unchanged it means "keep what is stored". */
export const MASK = '*redacted*';

/** A document's place. */
export interface DocumentAddress {
  readonly subsystem: string;
  readonly target: string;
}

/** A secret as it lies in the database: base64 of a sealed box. */
export interface SealedValue {
  readonly sealed: string;
}

export type SealedFields = Readonly<Record<string, FieldValue | SealedValue>>;

/** A stored document with its secrets sealed. */
export interface StoredDocument extends DocumentAddress {
  readonly version: number;
  readonly fields: SealedFields;
  readonly updatedAt: Date;
  readonly updatedBy: string;
}

/** The fields of a document in clear; never leaves the process. */
export type ClearFields = Readonly<Record<string, FieldValue>>;

const ENABLED_FIELD: FieldDefinition = {
  name: 'enabled',
  type: 'boolean',
  description: 'Whether the document is in effect.',
};

/** `kms_vault:default` */
export function documentName(address: DocumentAddress): string {
  return `${address.subsystem}:${address.target}`;
}

/** The fields of a subsystem, with the `enabled` that every document has. */
export function fieldsOf(definition: SubsystemDefinition): readonly FieldDefinition[] {
  return declaresEnabled(definition) ? definition.fields : [ENABLED_FIELD, ...definition.fields];
}

/** Whether the subsystem gives its own meaning to `enabled` and so wants to see it among its values. */
export function declaresEnabled(definition: SubsystemDefinition): boolean {
  return definition.fields.some((field) => field.name === ENABLED_FIELD.name);
}

/** Finds a field by its name or an older spelling of it; `enable` is MinIO's word for `enabled` everywhere. */
export function findField(definition: SubsystemDefinition, name: string): FieldDefinition | undefined {
  const fields = fieldsOf(definition);
  return (
    fields.find((field) => field.name === name) ??
    fields.find((field) => field.aliases?.includes(name) === true) ??
    (name === 'enable' ? fields.find((field) => field.name === ENABLED_FIELD.name) : undefined)
  );
}

/** Names of the fields that are sealed and masked. */
export function secretsOf(definition: SubsystemDefinition): ReadonlySet<string> {
  return new Set(fieldsOf(definition).flatMap((field) => (field.secret === true ? field.name : [])));
}
