import { Column, CreateDateColumn, Entity, JoinColumn, ManyToOne, PrimaryColumn, UpdateDateColumn } from 'typeorm';
import { UserEntity } from './user.entity';

/** A credential that signs requests for a user, or for root when it has no user. */
@Entity('access_key')
export class AccessKeyEntity {
  @PrimaryColumn({ name: 'access_key_id', type: 'text', collation: 'C' })
  accessKeyId!: string;

  @Column({ name: 'user_id', type: 'uuid', nullable: true })
  userId!: string | null;

  @ManyToOne(() => UserEntity, { onDelete: 'CASCADE', nullable: true })
  @JoinColumn({ name: 'user_id' })
  user!: UserEntity | null;

  /** Sealed by the root key under the purpose `access-key:<access key id>`; not read unless asked for. */
  @Column({ name: 'sealed_secret', type: 'bytea', select: false })
  sealedSecret!: Buffer;

  @Column({ type: 'text', default: 'enabled' })
  status!: 'enabled' | 'disabled';

  @Column({ type: 'text', default: '' })
  name!: string;

  @Column({ type: 'text', default: '' })
  description!: string;

  /** JSON of a policy that narrows what the parent may do. */
  @Column({ name: 'session_policy', type: 'text', nullable: true })
  sessionPolicy!: string | null;

  @Column({ name: 'expires_at', type: 'timestamptz', nullable: true })
  expiresAt!: Date | null;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz' })
  createdAt!: Date;

  @UpdateDateColumn({ name: 'updated_at', type: 'timestamptz' })
  updatedAt!: Date;
}
