const READING_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
/** Reading about keys is recorded, since what keys there are is worth knowing to an attacker. */
const KEY_READS = /\/kms\/(v1\/)?(keys?|describe-key|generate-data-key|backup)(\/|$)/;
/** Asked by POST for historical reasons, and every few seconds. */
const POLLED = /\/kms\/(v1\/)?(status|service-status)$/;

/** Whether a request to the admin face leaves an audit record: whatever changes something, and every use of a key. */
export function leavesRecord(method: string, path: string): boolean {
  return READING_METHODS.has(method) ? KEY_READS.test(path) : !POLLED.test(path);
}
