import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Metric, register } from 'prom-client';
import { parse } from 'yaml';
import { collectProcessMetrics } from './process.metrics';

const ROOT = join(__dirname, '..', '..');
const DEPLOY = join(ROOT, 'deploy', 'observability');

/** Labels that Prometheus itself adds. */
const ADDED_LABELS = ['instance', 'job', 'le'];
const SUFFIX = /_(bucket|sum|count)$/;

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description?: string };
}

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

const rules = (
  parse(readFileSync(join(DEPLOY, 'prometheus-alerts.yml'), 'utf8')) as {
    groups: readonly { rules: readonly Rule[] }[];
  }
).groups.flatMap((group) => group.rules);

const dashboard = JSON.parse(readFileSync(join(DEPLOY, 'grafana-dashboard.json'), 'utf8')) as {
  panels: readonly Panel[];
};

const queries: (readonly [string, string])[] = [
  ...rules.map((rule) => [rule.alert, rule.expr] as const),
  ...dashboard.panels.flatMap((panel) => (panel.targets ?? []).map(({ expr }) => [panel.title, expr] as const)),
];

beforeAll(() => {
  for (const file of readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })) {
    if (file.endsWith('.metrics.ts')) {
      jest.requireActual(join(ROOT, 'src', file));
    }
  }
  collectProcessMetrics({ totalCount: 0, idleCount: 0, waitingCount: 0 });
});

function find(name: string): (Metric & { labelNames?: readonly string[]; type?: string }) | undefined {
  return register.getSingleMetric(name.replace(SUFFIX, '')) ?? register.getSingleMetric(name);
}

describe('dashboard and alerts', () => {
  it.each(queries)('%s: names metrics and labels that there are', (_title, expr) => {
    const names = expr.match(/\b(strongroom|nodejs|process)_\w+/g) ?? [];
    expect(names.length + Number(expr.startsWith('up{'))).toBeGreaterThan(0);
    for (const name of names) {
      expect([name, find(name) !== undefined]).toEqual([name, true]);
    }
    const known = new Set([...ADDED_LABELS, ...names.flatMap((name) => find(name)?.labelNames ?? [])]);
    const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(/,\s*/));
    const selected = [...expr.matchAll(/[{,]\s*(\w+)\s*(?:=~|!~|!=|=)\s*"/g)].map(([, label = '']) => label);
    expect([...grouped, ...selected].filter((label) => !known.has(label))).toEqual([]);
    const histograms = names.filter((name) => name.endsWith('_bucket'));
    expect(histograms.every((name) => find(name)?.constructor.name === 'Histogram')).toBe(true);
    expect(expr.split('(')).toHaveLength(expr.split(')').length);
  });

  it('show every metric of the KMS and of the audit log', () => {
    const shown = queries.map(([, expr]) => expr).join('\n');
    const ours = register.getMetricsAsArray().map(({ name }) => name);
    const relevant = ours.filter((name) => /^strongroom_(kms|audit|bucket_key|rewrap)_/.test(name));
    expect(relevant.length).toBeGreaterThan(15);
    expect(relevant.filter((name) => !shown.includes(name))).toEqual([]);
  });

  it('say what is wrong in every alert, with labels its expression keeps', () => {
    for (const { expr, labels, annotations } of rules) {
      expect(['warning', 'critical']).toContain(labels.severity);
      const used = [...annotations.summary.matchAll(/\$labels\.(\w+)/g)].map(([, label]) => label);
      const kept = /\bby \(([^)]*)\)/.exec(expr)?.[1];
      expect(kept === undefined ? [] : used.filter((label) => !kept.includes(String(label)))).toEqual([]);
    }
    expect(new Set(rules.map((rule) => rule.alert)).size).toBe(rules.length);
  });
});
