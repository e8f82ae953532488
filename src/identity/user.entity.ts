import {
  Column,
  CreateDateColumn,
  Entity,
  JoinTable,
  ManyToMany,
  PrimaryGeneratedColumn,
  UpdateDateColumn,
} from 'typeorm';
import { PolicyEntity } from './policy.entity';

/** Someone who may hold access keys. */
@Entity('iam_user')
export class UserEntity {
  @PrimaryGeneratedColumn('uuid')
  id!: string;

  @Column({ type: 'text', collation: 'C', unique: true })
  name!: string;

  @Column({ type: 'text', default: 'enabled' })
  status!: 'enabled' | 'disabled';

  /** Canonical id shown as Owner in listings; never reused. */
  @Column({ name: 'owner_id', type: 'text', collation: 'C', unique: true })
  ownerId!: string;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz' })
  createdAt!: Date;

  @UpdateDateColumn({ name: 'updated_at', type: 'timestamptz' })
  updatedAt!: Date;

  @ManyToMany(() => PolicyEntity)
  @JoinTable({
    name: 'iam_user_policy',
    joinColumn: { name: 'user_id' },
    inverseJoinColumn: { name: 'policy_name', referencedColumnName: 'name' },
  })
  policies!: PolicyEntity[];
}
