import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { SealedFields } from './config-document';
import { bigintAsNumber } from './bigint-as-number';

@Entity('config_document')
export class ConfigDocumentEntity {
  @PrimaryColumn({ type: 'text' })
  subsystem!: string;

  @PrimaryColumn({ type: 'text' })
  target!: string;

  @Column({ type: 'bigint', transformer: bigintAsNumber })
  version!: number;

  @Column({ type: 'jsonb' })
  fields!: SealedFields;

  @Column({ type: 'timestamptz', name: 'updated_at' })
  updatedAt!: Date;

  @Column({ type: 'text', name: 'updated_by' })
  updatedBy!: string;
}
