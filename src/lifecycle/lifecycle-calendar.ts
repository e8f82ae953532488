/** Milliseconds of a day. */
export const DAY_MS = 86_400_000;

/**
 * When something is due that a rule gives a number of days: the days are added, and the result is rounded up to the next
 * midnight UTC, as S3 does. A shortened day, as tests use, has no midnight and is not rounded.
 *
 * @param day length of a day in milliseconds
 */
export function dueAfterDays(from: Date, days: number, day: number = DAY_MS): Date {
  if (day !== DAY_MS) {
    return new Date(from.getTime() + days * day);
  }
  return new Date((Math.floor(from.getTime() / DAY_MS) + days + 1) * DAY_MS);
}
