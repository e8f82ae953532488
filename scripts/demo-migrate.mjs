/**
 * Leaving a KMS while the store is in use: many objects lie under the key of a first Vault; a rewrap job moves them to a
 * second one while a client reads and overwrites them and one worker is killed. Then the first Vault is switched off, and
 * every object is still there. No byte of data is read or written by the job.
 *
 *   npm run demo:migrate                     10 000 objects
 *   npm run demo:migrate -- --objects 1000   fewer
 */
import { spawnSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { adminClient } from './support/admin-client.mjs';
import { forEachAtOnce, ObjectClient } from './support/object-client.mjs';
import { startScriptedVault } from './support/scripted-vault.mjs';
import { startStore } from './support/store.mjs';

const { values } = parseArgs({ options: { objects: { type: 'string', default: '10000' } } });
const OBJECTS = Number(values.objects);
const BUCKET = 'migration';
const KEY_NAME = 'objects';
const OLD = 'vault:a';
const NEW = 'vault:b';
const AT_ONCE = 16;
const JOB_MINUTES = 15;

const cleanUps = [];
let number = 0;

/** Runs one step and prints its name, its time and what it found. */
async function step(name, work) {
  const started = performance.now();
  process.stdout.write(`${String(++number).padStart(2)}. ${name} … `);
  const facts = await work();
  console.log(`${((performance.now() - started) / 1000).toFixed(1)} s`);
  for (const fact of [facts ?? []].flat()) console.log(`      ${fact}`);
}

function check(condition, failure) {
  if (!condition) throw new Error(failure);
}

async function main() {
  check(Number.isInteger(OBJECTS) && OBJECTS >= 100, '--objects must be a whole number of at least 100');
  let store, admin, client, job, oldVault;

  await step('Start the store with two workers, and two Vaults with a transit key each', async () => {
    store = await startStore({ env: { STRONGROOM_WORKERS: '2' } });
    cleanUps.push(() => store.stop());
    admin = adminClient(store);
    client = ObjectClient.connect(store.endpoint, BUCKET);
    oldVault = await addVault(admin, 'a');
    const newVault = await addVault(admin, 'b');
    await client.createBucket(`${OLD}/${KEY_NAME}`);
    return [`${OLD} at ${oldVault.url}, the default of the bucket`, `${NEW} at ${newVault.url}`];
  });
  await step(`Write ${OBJECTS} objects`, async () => {
    const started = performance.now();
    await forEachAtOnce(AT_ONCE, OBJECTS, (index) => client.put(index));
    const perSecond = OBJECTS / ((performance.now() - started) / 1000);
    const { objects } = await usage(admin, OLD);
    check(objects === OBJECTS, `${objects} objects are counted under ${OLD}`);
    return [`${perSecond.toFixed(0)} objects/s`, `${objects} objects under ${OLD}`];
  });
  await step('Let a client read and overwrite them from now on', async () => {
    client.beginTraffic(OBJECTS);
    cleanUps.push(() => client.endTraffic().catch(() => undefined));
    await until('the first reads', () => client.counts.reads > 10);
  });
  await step(`Have new objects sealed by ${NEW}, and start a rewrap job`, async () => {
    await client.setDefaultKey(`${NEW}/${KEY_NAME}`);
    job = await admin('POST', '/api/v1/rewrap-jobs', { target: `${NEW}/${KEY_NAME}`, selection: { kms: OLD } });
    return `job ${job.id}`;
  });
  await step('Kill one of the workers with signal 9 in the middle of it', async () => {
    const killed = await until('the middle of the job', async () => {
      const { progress, state } = await admin('GET', `/api/v1/rewrap-jobs/${job.id}`);
      check(state === 'running', `The job is ${state} before a worker could be killed`);
      return progress.objects.done > OBJECTS / 10 && killWorker(store.pid);
    });
    const { progress } = await admin('GET', `/api/v1/rewrap-jobs/${job.id}`);
    return `process ${killed}, after ${progress.objects.done} objects at ${progress.perSecond.toFixed(0)} objects/s`;
  });
  await step('Wait for the job', async () => {
    await finish(admin, job.id);
    const { progress, pass } = await admin('GET', `/api/v1/rewrap-jobs/${job.id}`);
    check(progress.failed === 0, `${progress.failed} objects could not be moved`);
    return [
      `${progress.objects.done} objects moved, ${progress.changed} times somebody else was faster, ${pass} rounds`,
      `${progress.perSecond.toFixed(0)} objects/s, the wait for the killed worker's share included`,
    ];
  });
  await step('End the traffic', async () => {
    await client.endTraffic();
    const { reads, writes } = client.counts;
    check(reads > 0 && writes > 0, 'The client got nothing done');
    return `${reads} reads and ${writes} overwrites, all of them right`;
  });
  await step('Count what lies under which key', async () => {
    // A write that began before the new default and ended after the job is what another job is for.
    while ((await usage(admin, OLD)).objects > 0) {
      const again = await admin('POST', '/api/v1/rewrap-jobs', {
        target: `${NEW}/${KEY_NAME}`,
        selection: { kms: OLD },
      });
      await finish(admin, again.id);
    }
    const [before, after] = [await usage(admin, OLD), await usage(admin, NEW)];
    check(before.uploads + before.bucketDefaults.length === 0, `${OLD} is still in use`);
    check(after.objects === OBJECTS, `${after.objects} objects are counted under ${NEW}`);
    return [`${before.objects} under ${OLD}`, `${after.objects} under ${NEW}`];
  });
  await step(`Switch ${OLD} off and remove it from the configuration`, async () => {
    await oldVault.stop();
    await admin('DELETE', '/minio/admin/v3/config/kms_vault/a');
  });
  await step('Read every object and compare', async () => {
    await forEachAtOnce(AT_ONCE, OBJECTS, (index) => client.assertObject(index));
    return `all ${OBJECTS} are as they were last written`;
  });
}

async function addVault(admin, target) {
  const vault = await startScriptedVault();
  let running = true;
  const stop = async () => {
    if (running) await vault.stop();
    running = false;
  };
  cleanUps.push(stop);
  const response = await fetch(`${vault.url}/v1/transit/keys/${KEY_NAME}`, {
    method: 'POST',
    headers: { 'x-vault-token': vault.token, 'content-type': 'application/json' },
    body: '{}',
  });
  check(response.ok, `The Vault answered ${response.status}`);
  await admin('POST', `/minio/admin/v3/config/kms_vault/${target}`, {
    endpoint: vault.url,
    key_name: KEY_NAME,
    token: vault.token,
    enabled: true,
  });
  return { url: vault.url, stop };
}

async function usage(admin, kms) {
  const { keys } = await admin('GET', `/api/v1/kms/usage?kms=${kms}`);
  const sum = (of) => keys.reduce((total, key) => total + of(key), 0);
  return {
    objects: sum((key) => key.objects),
    uploads: sum((key) => key.uploads),
    bucketDefaults: keys.flatMap((key) => key.bucketDefaults),
  };
}

async function finish(admin, id) {
  const ended = await until('the end of the job', async () => {
    const { state } = await admin('GET', `/api/v1/rewrap-jobs/${id}`);
    return state === 'running' ? undefined : state;
  });
  check(ended === 'completed', `The job is ${ended}`);
}

/** Kills one of the store's workers, which are children of its first process, and returns its id. */
function killWorker(storePid) {
  const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' });
  const lines = stdout.split('\n').map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line));
  const worker = lines.find((line) => line && Number(line[2]) === storePid && line[3].includes('main.js'));
  check(worker, 'No worker of the store is to be found');
  process.kill(Number(worker[1]), 'SIGKILL');
  return Number(worker[1]);
}

/** Asks until the answer is neither undefined nor false, and returns it. */
async function until(what, ask) {
  for (const end = Date.now() + JOB_MINUTES * 60_000; Date.now() < end;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    await delay(50);
  }
  throw new Error(`Waited in vain for ${what}`);
}

const started = performance.now();
try {
  await main();
  console.log(`\nAll of it holds, ${((performance.now() - started) / 1000).toFixed(0)} s.`);
} catch (error) {
  console.log('FAILED');
  console.error(`\n${error.stack}`);
  process.exitCode = 1;
} finally {
  for (const work of cleanUps.reverse()) await work();
}
