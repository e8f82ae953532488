/**
 * Lets calls run one at a time until one has succeeded, and all at once from then on: for clients that learn from their
 * first answer how to authenticate, and mix up requests that are under way meanwhile.
 */
export class FirstAlone {
  private open = false;
  private first: Promise<void> | undefined;

  /** Runs `work` as soon as no first call is under way. Rejects as `work` does. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    while (this.first) {
      await this.first;
    }
    if (this.open) {
      return work();
    }
    let finish = (): void => undefined;
    this.first = new Promise((resolve) => (finish = resolve));
    try {
      const result = await work();
      this.open = true;
      return result;
    } finally {
      this.first = undefined;
      finish();
    }
  }
}
