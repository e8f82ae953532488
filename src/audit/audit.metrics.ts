import { Counter, Gauge } from 'prom-client';

export const auditRecords = new Counter({
  name: 'strongroom_audit_records_total',
  help: 'Records appended to the audit log, by category and outcome',
  labelNames: ['category', 'outcome'] as const,
});

export const auditDropped = new Counter({
  name: 'strongroom_audit_dropped_total',
  help: 'Events left out because the audit log could not take them in time; the log says so itself too',
});

export const auditPending = new Gauge({
  name: 'strongroom_audit_pending',
  help: 'Events waiting to be written to the audit log',
});

export const auditCutRecords = new Counter({
  name: 'strongroom_audit_cut_records_total',
  help: 'Records removed from the audit log because their retention was over',
});

export const auditCutRefusals = new Counter({
  name: 'strongroom_audit_cut_refusals_total',
  help: 'Times that the audit log was not cut because its old end does not authenticate',
});

export const auditFailures = new Counter({
  name: 'strongroom_audit_write_failures_total',
  help: 'Failed attempts to write to the audit log',
});
