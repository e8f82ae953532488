import type { AuditCategory, AuditEvent, AuditOutcome } from '../common/audit-trail';

/** An audit record as it is stored and shown. Absent facts are null. */
export interface AuditRecord {
  /** Place in the chain, from 1 without gaps. */
  readonly sequence: number;
  readonly at: Date;
  readonly category: AuditCategory;
  readonly operation: string;
  readonly principal: string;
  readonly outcome: AuditOutcome;
  readonly errorClass: string | null;
  readonly resource: string | null;
  readonly kms: string | null;
  readonly keyId: string | null;
  readonly keyVersion: string | null;
  readonly sourceIp: string | null;
  readonly userAgent: string | null;
  readonly requestId: string | null;
  /** How long it took; of several calls, the slowest. */
  readonly microseconds: number | null;
  /** How many equal events this record stands for. */
  readonly calls: number;
  /** JSON text of an object of texts. */
  readonly details: string | null;
}

/** A record before it has its place in the chain. */
export type AuditDraft = Omit<AuditRecord, 'sequence'>;

const LONGEST_TEXT = 512;
const LONGEST_RESOURCE = 2_048;
const LONGEST_DURATION = 2 ** 31 - 1;

/**
 * Makes a record of an event. Texts from outside are cut to a bounded length and to what Postgres stores unchanged, since
 * what is hashed must be what is read back.
 */
export function draftOf(event: AuditEvent, at: Date, calls = 1): AuditDraft {
  const { details, seconds } = event;
  const facts = Object.entries(details ?? {}).map(([name, value]) => [name, clean(value)] as const);
  return {
    at,
    category: event.category,
    operation: clean(event.operation),
    principal: clean(event.principal),
    outcome: event.outcome,
    errorClass: cleanOrNull(event.errorClass),
    resource: cleanOrNull(event.resource, LONGEST_RESOURCE),
    kms: cleanOrNull(event.kms),
    keyId: cleanOrNull(event.keyId),
    keyVersion: cleanOrNull(event.keyVersion),
    sourceIp: cleanOrNull(event.sourceIp?.replace(/^::ffff:/, '')),
    userAgent: cleanOrNull(event.userAgent),
    requestId: cleanOrNull(event.requestId),
    microseconds: seconds === undefined ? null : Math.min(LONGEST_DURATION, Math.max(0, Math.round(seconds * 1e6))),
    calls,
    details: facts.length === 0 ? null : JSON.stringify(Object.fromEntries(facts)),
  };
}

function cleanOrNull(text: string | undefined, longest = LONGEST_TEXT): string | null {
  return text === undefined || text === '' ? null : clean(text, longest);
}

/** Without NUL, which Postgres cannot hold, and without halves of surrogate pairs, which UTF-8 cannot. */
function clean(text: string, longest = LONGEST_TEXT): string {
  return Buffer.from(text.slice(0, longest).replaceAll('\0', '\uFFFD'), 'utf8').toString('utf8');
}
