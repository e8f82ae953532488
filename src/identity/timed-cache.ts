interface Entry<V> {
  readonly value: Promise<V>;
  readonly expiresAt: number;
}

/**
 * Remembers loaded values for a short time. Concurrent requests for one key share one load. A load that began before
 * {@link clear} is never remembered after it, so a change cannot be overwritten by what was read before it.
 */
export class TimedCache<V> {
  private readonly entries = new Map<string, Entry<V>>();

  /**
   * @param lifetime milliseconds
   * @param capacity entries; the oldest go first
   */
  constructor(
    private readonly lifetime: number,
    private readonly capacity: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Returns the remembered value or loads it; a failed load is not remembered. */
  get(key: string, load: () => Promise<V>): Promise<V> {
    const known = this.entries.get(key);
    if (known !== undefined && known.expiresAt > this.now()) {
      return known.value;
    }
    const entry: Entry<V> = { value: load(), expiresAt: this.now() + this.lifetime };
    this.entries.delete(key);
    this.entries.set(key, entry);
    entry.value.catch(() => {
      if (this.entries.get(key) === entry) {
        this.entries.delete(key);
      }
    });
    if (this.entries.size > this.capacity) {
      const oldest = this.entries.keys().next();
      this.entries.delete(oldest.value as string);
    }
    return entry.value;
  }

  clear(): void {
    this.entries.clear();
  }
}
