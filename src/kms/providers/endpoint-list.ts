/**
 * The addresses of one KMS, of which one is in use. It stays in use until it fails; then it is the turn of the next, so that
 * a cluster without a load balancer is served by whichever node answers.
 */
export class EndpointList {
  private index = 0;

  /** @param endpoints http or https addresses without a trailing slash, at least one */
  constructor(private readonly endpoints: readonly string[]) {}

  get size(): number {
    return this.endpoints.length;
  }

  get current(): string {
    return this.endpoints[this.index] ?? '';
  }

  /** Moves on from an address that failed, unless another call has done so already. */
  leave(failed: string): void {
    if (failed === this.current) {
      this.index = (this.index + 1) % this.endpoints.length;
    }
  }

  /** Whether requests, and with them the credentials, may go to this origin. */
  trusts(origin: string): boolean {
    return this.endpoints.some((endpoint) => new URL(endpoint).origin === origin);
  }

  /** Makes the address of this origin, as named by a redirect of a standby, the one in use. */
  prefer(origin: string): void {
    const index = this.endpoints.findIndex((endpoint) => new URL(endpoint).origin === origin);
    this.index = index === -1 ? this.index : index;
  }
}

/** Splits a comma-separated list of addresses and drops trailing slashes. */
export function splitEndpoints(text: string): string[] {
  return text
    .split(',')
    .map((each) => each.trim().replace(/\/+$/, ''))
    .filter((each) => each !== '');
}
