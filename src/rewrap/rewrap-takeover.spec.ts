import { ObjectRewrapper } from '../crypto/object-rewrapper.service';
import { KmsService } from '../kms/kms.service';
import { SealedKeyRepository } from '../object-storage/sealed-key.repository';
import { startVaultServer, type FakeVault } from '../../test/fakes/vault-server';
import { type RewrapApp, startRewrapApp } from '../../test/support/rewrap-app';
import { RewrapChunkRunner } from './rewrap-chunk-runner.service';
import { type LeasedChunk, RewrapChunkRepository } from './rewrap-chunk.repository';
import { RewrapJobRepository } from './rewrap-job.repository';
import { RewrapPlanner } from './rewrap-planner.service';
import { selectionOf } from './rewrap-selection';
import { RewrapWorker } from './rewrap-worker.service';

const OBJECTS = 5;

describe('the chunk of a process that was killed', () => {
  let app: RewrapApp;
  let vaults: FakeVault[];
  let chunks: RewrapChunkRepository;
  let jobs: RewrapJobRepository;
  let survivor: RewrapChunkRunner;
  let id: string;

  beforeEach(async () => {
    vaults = await Promise.all([startVaultServer(), startVaultServer()]);
    app = await startRewrapApp();
    const get = <T>(token: abstract new (...args: never[]) => T): T => app.module.get<T>(token, { strict: false });
    // Nobody works but the processes of this test.
    await get(RewrapWorker).beforeApplicationShutdown();
    for (const [index, vault] of vaults.entries()) {
      vault.createKey('objects');
      await app.useVault(index === 0 ? 'first' : 'second', vault);
    }
    await app.buckets.create('bucket', 'owner');
    for (let index = 0; index < OBJECTS; index++) {
      await app.put('bucket', `key-${index}`, `content ${index}`, {
        encryption: { mode: 'sse-kms', keyId: 'vault:first/objects' },
      });
    }
    chunks = get(RewrapChunkRepository);
    jobs = get(RewrapJobRepository);
    survivor = new RewrapChunkRunner(chunks, jobs, get(SealedKeyRepository), get(ObjectRewrapper), get(KmsService));
    const job = { target: 'vault:second/objects', selection: {}, dryRun: false, createdBy: 'test' };
    id = (await app.rewrap.create(job)).id;
    const order = await jobs.takePlan(60);
    await get(RewrapPlanner).plan(order!);
    expect(await chunks.take(selectionOf, 1_000, 60)).toBe('walked');
  });

  afterEach(async () => {
    await app.close();
    await Promise.all(vaults.map((vault) => vault.close()));
  });

  /** A process that takes a chunk and is killed: its lease runs out. */
  async function takeAndDie(): Promise<LeasedChunk> {
    const leased = await chunks.take(selectionOf, 1_000, 0);
    expect(leased).toMatchObject({ chunk: { kind: 'object' } });
    return leased as LeasedChunk;
  }

  const read = (leased: LeasedChunk, limit: number) =>
    app.module
      .get(SealedKeyRepository, { strict: false })
      .read('object', selectionOf(leased.order), leased.chunk.after, leased.chunk.until, limit);
  const done = async () => (await app.rewrap.get(id)).progress.objects.done;

  it('is taken over by another from its beginning when nothing of it was stored', async () => {
    const dead = await takeAndDie();
    const taken = await chunks.takeAbandoned(60);
    expect(taken?.chunk).toEqual(dead.chunk);
    expect(await chunks.takeAbandoned(60)).toBeUndefined();
    await survivor.run(taken!);
    expect(await done()).toBe(OBJECTS);
    expect(await app.usage.usageOf('vault:second', 'objects')).toMatchObject({ objects: OBJECTS });
  });

  it('goes on behind the last batch that was stored, and counts nothing twice', async () => {
    const dead = await takeAndDie();
    const batch = await read(dead, 2);
    await chunks.commit(dead, { reseals: [], failures: [], next: batch[1]!.position }, 0);
    const taken = await chunks.takeAbandoned(60);
    expect(taken?.chunk.after).toEqual(batch[1]!.position);
    await survivor.run(taken!);
    expect(await done()).toBe(OBJECTS - 2);
  });

  it('is no longer the business of one that was only thought dead', async () => {
    const slow = await takeAndDie();
    const batch = await read(slow, OBJECTS);
    const taken = await chunks.takeAbandoned(60);
    expect(await chunks.renew(slow, 60)).toBe(false);
    const failures = batch.map((sealed) => ({ sealed, reason: 'late', message: 'late' }));
    expect(await chunks.commit(slow, { reseals: [], failures }, 60)).toBeUndefined();
    expect(await app.rewrap.failures(id, {}, 10)).toEqual([]);
    await survivor.run(taken!);
    expect(await done()).toBe(OBJECTS);
    expect(await app.read('bucket', 'key-0')).toBe('content 0');
  });
});
