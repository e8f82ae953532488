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
import { UserEntity } from './user.entity';

/** A set of users that share policies. A disabled group gives its members nothing. */
@Entity('iam_group')
export class GroupEntity {
  @PrimaryGeneratedColumn('uuid')
  id!: string;

  @Column({ type: 'text', collation: 'C', unique: true })
  name!: string;

  @Column({ type: 'text', default: 'enabled' })
  status!: 'enabled' | 'disabled';

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz' })
  createdAt!: Date;

  @UpdateDateColumn({ name: 'updated_at', type: 'timestamptz' })
  updatedAt!: Date;

  @ManyToMany(() => UserEntity)
  @JoinTable({
    name: 'iam_group_member',
    joinColumn: { name: 'group_id' },
    inverseJoinColumn: { name: 'user_id' },
  })
  members!: UserEntity[];

  @ManyToMany(() => PolicyEntity)
  @JoinTable({
    name: 'iam_group_policy',
    joinColumn: { name: 'group_id' },
    inverseJoinColumn: { name: 'policy_name', referencedColumnName: 'name' },
  })
  policies!: PolicyEntity[];
}
