/**
 * A named SQL statement. The server prepares it once per connection under its name, so one name must always mean one text.
 */
export interface Statement {
  /** At most 63 bytes, unique in the program, e.g. `object.insert-version`. */
  readonly name: string;
  readonly text: string;
}

/**
 * What both the database and an open transaction can do.
 * Every method throws a DomainError `database-unavailable` while the server cannot be reached, or is stopping.
 */
export interface Queryable {
  /** Runs a statement and returns its rows. */
  query<R extends object>(statement: Statement, values?: readonly unknown[]): Promise<R[]>;
  /** Runs a statement and returns how many rows it touched. */
  execute(statement: Statement, values?: readonly unknown[]): Promise<number>;
  /** Announces a change to every listening process; inside a transaction, only when it commits. Payload up to 8000 bytes. */
  notify(channel: string, payload: string): Promise<void>;
}
