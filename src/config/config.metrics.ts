import { Counter, Gauge } from 'prom-client';

/** Of several workers the one that lags is shown. */
export const appliedVersionGauge = new Gauge({
  name: 'strongroom_config_applied_version',
  help: 'Number of the latest configuration change applied by this process',
  aggregator: 'min',
});

export const configChangeCounter = new Counter({
  name: 'strongroom_config_changes_total',
  help: 'Changes of dynamic configuration made through this process',
  labelNames: ['action'] as const,
});
