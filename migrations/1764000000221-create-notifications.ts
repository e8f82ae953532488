import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Messages about events that wait for delivery, and who delivers to which target. */
export class CreateNotifications1764000000221 implements MigrationInterface {
  readonly name = 'CreateNotifications1764000000221';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE notification_target (
        target text COLLATE "C" PRIMARY KEY,
        lease text,
        lease_until timestamptz,
        retry_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        failures integer NOT NULL DEFAULT 0,
        delivered bigint NOT NULL DEFAULT 0,
        last_delivered_at timestamptz,
        last_error text,
        last_error_at timestamptz
      ) WITH (fillfactor = 50)`);
    await runner.query(`
      CREATE TABLE notification_outbox (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        target text COLLATE "C" NOT NULL,
        message text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        refusals integer NOT NULL DEFAULT 0,
        dead boolean NOT NULL DEFAULT false
      )`);
    await runner.query(`CREATE INDEX notification_outbox_waiting ON notification_outbox (target, id) WHERE NOT dead`);
    await runner.query(`CREATE INDEX notification_outbox_dead ON notification_outbox (target, id) WHERE dead`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE notification_outbox, notification_target');
  }
}
