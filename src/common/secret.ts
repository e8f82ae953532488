import { inspect } from 'node:util';

const REDACTED = '[redacted]';

/** A value that shows itself only when asked by name, so that it cannot leak through a log line, JSON or an error text. */
export class Secret<T = string> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  /** Returns the protected value. */
  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}
