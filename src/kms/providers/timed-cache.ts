interface Entry<T> {
  readonly value: Promise<T>;
  readonly at: number;
}

/** Values of a remote service, kept for a while; callers at the same time share one request, and failures are not kept. */
export class TimedCache<T> {
  private readonly entries = new Map<string, Entry<T>>();

  /** @param age milliseconds a value is used for; @param limit entries kept at most */
  constructor(
    private readonly age: number,
    private readonly limit: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  async get(key: string, load: () => Promise<T>): Promise<T> {
    const cached = this.entries.get(key);
    if (cached && this.now() - cached.at < this.age) {
      return cached.value;
    }
    if (this.entries.size >= this.limit) {
      this.entries.clear();
    }
    const entry = { value: load(), at: this.now() };
    this.entries.set(key, entry);
    entry.value.catch(() => {
      if (this.entries.get(key) === entry) {
        this.entries.delete(key);
      }
    });
    return entry.value;
  }

  delete(key: string): void {
    this.entries.delete(key);
  }

  clear(): void {
    this.entries.clear();
  }
}
