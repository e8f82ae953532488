import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { SealedFields } from './config-document';
import { bigintAsNumber } from './bigint-as-number';
import type { HistoryEntry } from './subsystem';

/** One change of one document. Rows are only ever added; a trigger refuses anything else. */
@Entity('config_history')
export class ConfigHistoryEntity {
  @PrimaryColumn({ type: 'bigint', transformer: bigintAsNumber })
  version!: number;

  @Column({ type: 'text' })
  subsystem!: string;

  @Column({ type: 'text' })
  target!: string;

  @Column({ type: 'text' })
  action!: HistoryEntry['action'];

  @Column({ type: 'timestamptz', name: 'changed_at' })
  changedAt!: Date;

  @Column({ type: 'text', name: 'changed_by' })
  changedBy!: string;

  @Column({ type: 'text', nullable: true })
  comment!: string | null;

  /** The whole document after the change, secrets sealed, so that a rollback finds them; null after a delete. */
  @Column({ type: 'jsonb', nullable: true })
  fields!: SealedFields | null;

  @Column({ type: 'jsonb' })
  diff!: HistoryEntry['diff'];
}
