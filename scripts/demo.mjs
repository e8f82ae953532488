/**
 * The whole story in one run, against a scripted Vault (or, with VAULT_ADDR and VAULT_TOKEN set, a real one with a transit
 * engine): start from nothing, point the store at the Vault while it runs, upload a real file of 1 GiB under SSE-KMS,
 * download it byte for byte, find only ciphertext on disk, rotate the Vault's key, read again. Nothing is restarted.
 *
 *   npm run demo                 1 GiB
 *   npm run demo -- --mib 64     a smaller file
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fileContains, filesBelow, sha256OfFile, writeMarkedFile } from './support/files.mjs';
import { s3Tool } from './support/s3-tool.mjs';
import { startScriptedVault } from './support/scripted-vault.mjs';
import { ACCESS_KEY, SECRET_KEY, startStore } from './support/store.mjs';

const { values } = parseArgs({ options: { mib: { type: 'string', default: '1024' } } });
const BYTES = Number(values.mib) * (1 << 20);
const BUCKET = 'vault-demo';
const KEY_NAME = 'strongroom-demo';
const MARKER = Buffer.from(`STRONGROOM-PLAINTEXT-${randomBytes(12).toString('hex')}`);

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
  const work = await mkdtemp(join(tmpdir(), 'strongroom-demo-'));
  cleanUps.push(() => rm(work, { recursive: true, force: true }));
  const source = join(work, 'source.bin');
  const copy = join(work, 'copy.bin');
  let vault, store, aws, sha256;

  await step('Reach a Vault with a transit key', async () => {
    vault = await prepareVault();
    return `${vault.kind} at ${vault.url}, key ${KEY_NAME}`;
  });
  await step('Start the store from an empty data directory', async () => {
    store = await startStore();
    cleanUps.push(() => store.stop());
    aws = await s3Tool(store.endpoint);
    return `${store.endpoint}, process ${store.pid}`;
  });
  await step(`Create a bucket with ${aws.name}`, () => aws.createBucket(BUCKET).then(() => `s3://${BUCKET}`));
  await step('Point the running store at the Vault: POST /minio/admin/v3/config/kms_vault/default', async () => {
    const answer = await admin(store, 'POST', '/minio/admin/v3/config/kms_vault/default', {
      endpoint: vault.url,
      key_name: KEY_NAME,
      token: vault.token,
      enabled: true,
    });
    check(!JSON.stringify(answer).includes(vault.token), 'The answer shows the token');
    const steps = answer.test?.steps ?? [];
    return steps.map(
      (test) => `${test.outcome.padEnd(8)}${test.name}, ${test.milliseconds.toFixed(1)} ms: ${test.detail}`,
    );
  });
  await step(`Make a random file of ${BYTES / (1 << 20)} MiB that carries a known text in every MiB`, async () => {
    sha256 = await writeMarkedFile(source, BYTES, MARKER);
    return `sha256 ${sha256}`;
  });
  await step('Upload it under SSE-KMS (multipart), and a small one of 16 KiB', async () => {
    await aws.upload(source, BUCKET, 'big.bin');
    const head = await aws.head(BUCKET, 'big.bin');
    check(head.ServerSideEncryption === 'aws:kms', `The object is not under SSE-KMS but ${head.ServerSideEncryption}`);
    check(BYTES <= 8 << 20 || /-\d+"$/.test(head.ETag), `The upload was not multipart: ETag ${head.ETag}`);
    const small = join(work, 'inline.bin');
    await writeMarkedFile(small, 16 << 10, MARKER);
    await aws.upload(small, BUCKET, 'inline.bin');
    return [`key ${head.SSEKMSKeyId}`, `ETag ${head.ETag}, ${head.ContentLength} bytes`];
  });
  await step('Download it and compare every byte', async () => {
    await aws.download(BUCKET, 'big.bin', copy);
    check((await sha256OfFile(copy)) === sha256, 'The downloaded file differs');
    return 'identical';
  });
  await step('Look for the known text in everything on disk, database files included', () =>
    inspectDisk(store, source),
  );
  await step("Rotate the Vault's key", async () => {
    const before = await latestVersion(vault);
    await vaultCall(vault, 'POST', `transit/keys/${KEY_NAME}/rotate`, {});
    const after = await latestVersion(vault);
    check(after === before + 1, `The key went from version ${before} to ${after}`);
    return `version ${before} → ${after}`;
  });
  await step('Read the old object again, and write and read one under the new version', async () => {
    await rm(copy);
    await aws.download(BUCKET, 'big.bin', copy);
    check((await sha256OfFile(copy)) === sha256, 'After the rotation the old object differs');
    const small = join(work, 'small.bin');
    const smallHash = await writeMarkedFile(small, 1 << 20, MARKER);
    await aws.upload(small, BUCKET, 'after-rotation.bin');
    await aws.download(BUCKET, 'after-rotation.bin', copy);
    check((await sha256OfFile(copy)) === smallHash, 'The new object differs');
    process.kill(store.pid, 0);
    return `both identical; the store is still process ${store.pid}`;
  });
}

async function inspectDisk(store, source) {
  check(await fileContains(source, MARKER), 'The marker is not even in the source file');
  let bytes = 0;
  let largest = { size: 0, path: '' };
  const files = filesBelow(store.dataDir);
  for (const path of files) {
    const info = await stat(path).catch(() => undefined);
    if (info === undefined) continue;
    bytes += info.size;
    if (info.size > largest.size && path.includes('blob')) largest = { size: info.size, path };
    check(!(await fileContains(path, MARKER)), `Plaintext in ${path}`);
  }
  check(bytes > BYTES, `Only ${bytes} bytes on disk: the object is not there`);
  const handle = await open(largest.path);
  const { buffer } = await handle.read(Buffer.alloc(16), 0, 16, 0);
  await handle.close();
  return [`none in ${files.length} files, ${Math.round(bytes / 1e6)} MB`, `a blob begins ${buffer.toString('hex')}`];
}

async function prepareVault() {
  if (process.env.VAULT_ADDR && process.env.VAULT_TOKEN) {
    const vault = { kind: 'Vault', url: process.env.VAULT_ADDR, token: process.env.VAULT_TOKEN };
    await vaultCall(vault, 'POST', `transit/keys/${KEY_NAME}`, {});
    return vault;
  }
  const scripted = await startScriptedVault();
  cleanUps.push(() => scripted.stop());
  const vault = { kind: 'scripted Vault', url: scripted.url, token: scripted.token };
  await vaultCall(vault, 'POST', `transit/keys/${KEY_NAME}`, {});
  return vault;
}

async function vaultCall(vault, method, path, body) {
  const response = await fetch(`${vault.url}/v1/${path}`, {
    method,
    headers: { 'x-vault-token': vault.token, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`Vault answered ${response.status} to ${method} ${path}: ${text}`);
  return text === '' ? undefined : JSON.parse(text);
}

async function latestVersion(vault) {
  return (await vaultCall(vault, 'GET', `transit/keys/${KEY_NAME}`)).data.latest_version;
}

async function admin(store, method, path, body) {
  const response = await fetch(`${store.endpoint}${path}`, {
    method,
    headers: {
      authorization: `Basic ${Buffer.from(`${ACCESS_KEY}:${SECRET_KEY}`).toString('base64')}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
  return text === '' ? {} : JSON.parse(text);
}

async function cleanUp() {
  for (const work of cleanUps.reverse()) await work();
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
  await cleanUp();
}
