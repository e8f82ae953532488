/** Waits that can be cut short. */
export class Waker {
  private readonly sleepers = new Set<() => void>();

  /** Ends every wait under way. */
  wake(): void {
    for (const end of this.sleepers) {
      end();
    }
  }

  /** Resolves after some milliseconds, or when woken. */
  async wait(milliseconds: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.sleepers.delete(end);
        resolve();
      };
      const timer = setTimeout(end, milliseconds);
      timer.unref();
      this.sleepers.add(end);
    });
  }
}
