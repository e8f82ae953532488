import { Logger } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { bodyOf, contentOf, createTestStorage, type TestStorage } from '../../test/support/storage';
import type { EncryptionRequest } from '../crypto/encryption.types';
import { type BlobReader, BlobStore, type BlobWriter } from './blob-store';

type Fault = 'create' | 'write' | 'commit' | 'after-commit' | undefined;

/** Fails at a chosen point, as a full disk or a dying process would. */
class FaultyBlobStore extends BlobStore {
  fault: Fault;

  constructor(private readonly inner: BlobStore) {
    super();
  }

  async create(): Promise<BlobWriter> {
    this.failAt('create');
    const writer = await this.inner.create();
    return {
      write: async (buffers) => {
        this.failAt('write');
        await writer.write(buffers);
      },
      commit: async () => {
        if (this.fault === 'commit') {
          await writer.abort();
        }
        this.failAt('commit');
        const blob = await writer.commit();
        this.failAt('after-commit');
        return blob;
      },
      abort: () => writer.abort(),
    };
  }

  open(id: string, offset: number, length: number): Promise<BlobReader> {
    return this.inner.open(id, offset, length);
  }

  delete(ids: readonly string[]): Promise<string[]> {
    return this.inner.delete(ids);
  }

  listOlderThan(ageMs: number): AsyncIterable<readonly string[]> {
    return this.inner.listOlderThan(ageMs);
  }

  removeAbandoned(ageMs: number): Promise<number> {
    return this.inner.removeAbandoned(ageMs);
  }

  probe(): Promise<void> {
    return this.inner.probe();
  }

  private failAt(fault: Fault): void {
    if (this.fault === fault) {
      throw Object.assign(new Error('No space left on device'), { code: 'ENOSPC' });
    }
  }
}

const NOW = { deleted: 0, orphan: -60_000, staged: -60_000, completion: 0 };

let storage: TestStorage;
let faulty: FaultyBlobStore;

beforeAll(async () => {
  Logger.overrideLogger(false);
  storage = await createTestStorage({
    wrap: (store) => {
      faulty = new FaultyBlobStore(store);
      return faulty;
    },
  });
  await storage.buckets.create('bucket', 'owner');
});

afterEach(() => {
  faulty.fault = undefined;
});

afterAll(() => storage.close());

async function files(directory: 'objects' | 'staging'): Promise<string[]> {
  const entries = await readdir(join(storage.directory, directory), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

const encryption: EncryptionRequest = { mode: 'sse-kms' };

describe.each(['create', 'write', 'commit', 'after-commit'] as const)('a failure at %s', (fault) => {
  it('leaves the object before it as it was, and after a sweep nothing else', async () => {
    const content = randomBytes(200_000);
    await storage.put('bucket', 'a', content, { encryption });
    const before = (await files('objects')).sort();
    faulty.fault = fault;
    const body = bodyOf(randomBytes(3_000_000));
    await expect(storage.put('bucket', 'a', '', { body, encryption })).rejects.toThrow('No space left');
    expect(body.stream.destroyed).toBe(true);
    faulty.fault = undefined;
    expect((await storage.read('bucket', 'a')).equals(content)).toBe(true);
    expect(await files('staging')).toEqual([]);
    await storage.reaper.sweep(NOW);
    expect((await files('objects')).sort()).toEqual(before);
  });

  it('leaves the part before it as it was', async () => {
    const { uploadId } = await storage.multipart.create({
      bucket: 'bucket',
      key: 'm',
      metadata: { user: {} },
      owner: 'owner',
      encryption,
    });
    const target = { bucket: 'bucket', key: 'm', uploadId, partNumber: 1 };
    const { etag } = await storage.multipart.uploadPart({ ...target, body: bodyOf('good') });
    faulty.fault = fault;
    await expect(storage.multipart.uploadPart({ ...target, body: bodyOf('bad') })).rejects.toThrow('No space left');
    faulty.fault = undefined;
    const parts = [{ partNumber: 1, etag }];
    await storage.multipart.complete({ bucket: 'bucket', key: 'm', uploadId, parts });
    await storage.reaper.sweep(NOW);
    expect((await storage.read('bucket', 'm')).toString()).toBe('good');
  });
});

describe('a commit whose answer is lost', () => {
  it('keeps the bytes, because it may have happened', async () => {
    const content = randomBytes(200_000);
    const { database } = storage.database;
    const original = database.query.bind(database);
    const spy = jest.spyOn(database, 'query').mockImplementation(async (statement, values) => {
      const rows = await original(statement, values);
      if (statement.name === 'object.commit') {
        throw new Error('Connection terminated unexpectedly');
      }
      return rows;
    });
    await expect(storage.put('bucket', 'lost-answer', content, { encryption })).rejects.toThrow(
      'Connection terminated',
    );
    spy.mockRestore();
    await storage.reaper.sweep(NOW);
    expect((await storage.read('bucket', 'lost-answer')).equals(content)).toBe(true);
  });

  it('that did not happen leaves an orphan for the sweep', async () => {
    const before = (await files('objects')).sort();
    const { database } = storage.database;
    const original = database.query.bind(database);
    const spy = jest.spyOn(database, 'query').mockImplementation(async (statement, values) => {
      if (statement.name === 'object.commit') {
        throw new Error('Connection terminated unexpectedly');
      }
      return await original(statement, values);
    });
    await expect(storage.put('bucket', 'never', randomBytes(200_000))).rejects.toThrow('Connection terminated');
    spy.mockRestore();
    expect((await files('objects')).length).toBe(before.length + 1);
    expect(await storage.reaper.sweep()).toEqual({ staged: 0, orphans: 0 });
    expect(await storage.reaper.sweep(NOW)).toEqual({ staged: 0, orphans: 1 });
    expect((await files('objects')).sort()).toEqual(before);
    await expect(storage.read('bucket', 'never')).rejects.toMatchObject({ kind: 'NoSuchKey' });
  });
});

describe('the reaper', () => {
  it('removes bytes only after their grace, and readers under way finish', async () => {
    const content = randomBytes(2_000_000);
    await storage.put('bucket', 'reaped', content, { encryption });
    await storage.reaper.reap(NOW);
    const before = (await files('objects')).length;
    const opened = await storage.objects.open({ bucket: 'bucket', key: 'reaped' });
    await storage.objects.delete('bucket', { key: 'reaped' });
    expect(await storage.reaper.reap()).toBe(0);
    expect((await files('objects')).length).toBe(before);
    expect(await storage.reaper.reap(NOW)).toBe(1);
    expect((await files('objects')).length).toBe(before - 1);
    expect((await contentOf(opened)).equals(content)).toBe(true);
    expect(await storage.reaper.reap(NOW)).toBe(0);
  });

  it('works in one process at a time', async () => {
    const other = await storage.database.another();
    await storage.put('bucket', 'waiting', randomBytes(100_000));
    await storage.objects.delete('bucket', { key: 'waiting' });
    await other.transaction(async (tx) => {
      await tx.query({ name: 'test.lock', text: 'SELECT pg_advisory_xact_lock(7340514001)' });
      expect(await storage.reaper.reap(NOW)).toBe(0);
      expect(await storage.reaper.sweep(NOW)).toEqual({ staged: 0, orphans: 0 });
    });
    expect(await storage.reaper.reap(NOW)).toBe(1);
  });

  it('removes what was staged long ago', async () => {
    const writer = await storage.blobs.create();
    await writer.write([randomBytes(2_000_000)]);
    expect(await storage.reaper.sweep({ ...NOW, staged: 60_000 })).toMatchObject({ staged: 0 });
    expect(await storage.reaper.sweep({ ...NOW, staged: -60_000 })).toMatchObject({ staged: 1 });
    await writer.abort();
  });
});

it('gives a slow reader no more than it takes', async () => {
  await storage.put('bucket', 'slow', randomBytes(20_000_000));
  const opened = await storage.objects.open({ bucket: 'bucket', key: 'slow' });
  const stream = opened.body as Readable;
  await new Promise((resolve) => stream.once('readable', resolve));
  await new Promise((resolve) => setImmediate(resolve));
  expect(stream.readableLength).toBeLessThanOrEqual(1_100_000);
  stream.destroy();
});
