/**
 * Checks docker-compose.yml: by `docker compose config` where that client exists, and always by structure, so that a typo in
 * a key, an undeclared volume or a dependency on a missing service fails without an engine.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

const SERVICE_KEYS = new Set(
  'image build command entrypoint environment env_file ports volumes depends_on healthcheck restart networks user cap_add cap_drop read_only tmpfs stop_grace_period security_opt init profiles expose'.split(
    ' ',
  ),
);
const HEALTH_KEYS = new Set(['test', 'interval', 'timeout', 'retries', 'start_period', 'disable']);
const DURATION = /^(\d+(ms|s|m|h))+$/;

const file = fileURLToPath(new URL('../docker-compose.yml', import.meta.url));
const problems = [];
const compose = parse(readFileSync(file, 'utf8'));

for (const key of Object.keys(compose)) {
  if (!['name', 'services', 'volumes', 'networks'].includes(key)) problems.push(`unknown top-level key "${key}"`);
}
for (const [name, service] of Object.entries(compose.services ?? {})) checkService(name, service);
if (!compose.services?.strongroom) problems.push('there is no service "strongroom"');

if (spawnSync('docker', ['compose', 'version']).status === 0) {
  const docker = spawnSync('docker', ['compose', '-f', file, 'config', '--quiet'], { encoding: 'utf8' });
  if (docker.status !== 0) problems.push(docker.stderr.trim());
}

for (const problem of problems) console.error(`docker-compose.yml: ${problem}`);
process.exitCode = problems.length === 0 ? 0 : 1;

function checkService(name, service) {
  const at = (text) => problems.push(`service "${name}": ${text}`);
  for (const key of Object.keys(service)) if (!SERVICE_KEYS.has(key)) at(`unknown key "${key}"`);
  if (service.image === undefined && service.build === undefined) at('neither image nor build');
  for (const port of service.ports ?? []) {
    if (!/^((\d{1,3}\.){3}\d{1,3}:)?\d+:\d+$/.test(String(port))) at(`port "${port}" is not host:container`);
  }
  for (const volume of service.volumes ?? []) {
    const source = String(volume).split(':')[0];
    if (!/^[./]/.test(source) && !(source in (compose.volumes ?? {}))) at(`volume "${source}" is not declared`);
  }
  for (const [other, rule] of Object.entries(service.depends_on ?? {})) {
    if (!compose.services[other]) at(`depends on the missing service "${other}"`);
    else if (rule?.condition === 'service_healthy' && !compose.services[other].healthcheck) {
      at(`waits for the health of "${other}", which has no healthcheck`);
    }
  }
  for (const [key, value] of Object.entries(service.healthcheck ?? {})) {
    if (!HEALTH_KEYS.has(key)) at(`unknown healthcheck key "${key}"`);
    if (['interval', 'timeout', 'start_period'].includes(key) && !DURATION.test(String(value)))
      at(`${key} "${value}" is no duration`);
  }
}
