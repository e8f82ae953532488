/**
 * How long credentials last, for a connection test.
 * @param expires when they end, where that is known
 */
export function renewedLife(expires: Date | undefined): string {
  if (expires === undefined) {
    return 'which tell no end';
  }
  return `good for ${Math.max(0, Math.round((expires.getTime() - Date.now()) / 1_000))} s, and renewed before`;
}
