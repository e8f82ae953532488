import { crc32c } from '@node-rs/crc32';
import { randomBytes } from 'node:crypto';
import { BlobNotFoundError, type BlobReader, type BlobStore } from '../../src/object-storage/blob-store';

const MIB = 1024 * 1024;

/** What every blob store must do. `make` gives an empty store. */
export function describeBlobStore(name: string, make: () => Promise<BlobStore>): void {
  describe(`${name} as a blob store`, () => {
    let store: BlobStore;

    beforeEach(async () => {
      store = await make();
    });

    async function write(content: Buffer, piece = 65536) {
      const writer = await store.create();
      for (let at = 0; at < content.length; at += piece) {
        await writer.write([content.subarray(at, at + piece)]);
      }
      return writer.commit();
    }

    it.each([0, 1, 65536, MIB - 1, MIB, MIB + 1, 5 * MIB + 17])('gives back %d bytes as they were', async (size) => {
      const content = randomBytes(size);
      const blob = await write(content);
      expect(blob).toEqual({ id: expect.stringMatching(/^[0-9a-f]{32}$/), size, crc32c: crc32c(content) });
      expect((await readAll(await store.open(blob.id, 0, size))).equals(content)).toBe(true);
    });

    it('takes a body byte by byte', async () => {
      const content = randomBytes(5000);
      const blob = await write(content, 1);
      expect((await readAll(await store.open(blob.id, 0, content.length))).equals(content)).toBe(true);
    });

    it.each([
      [0, 1],
      [MIB - 1, 2],
      [3 * MIB, 1],
      [100, 2 * MIB],
      [7, 0],
    ])('reads %d bytes in, %d long', async (offset, length) => {
      const content = randomBytes(3 * MIB + 1);
      const blob = await write(content);
      const read = await readAll(await store.open(blob.id, offset, length));
      expect(read.equals(content.subarray(offset, offset + length))).toBe(true);
    });

    it('fails when a range goes past the end', async () => {
      const blob = await write(randomBytes(10));
      await expect(readAll(await store.open(blob.id, 5, 10))).rejects.toThrow('early');
    });

    it('knows no blob that was aborted, deleted or never written', async () => {
      const writer = await store.create();
      await writer.write([randomBytes(2 * MIB)]);
      await writer.abort();
      await writer.abort();
      const blob = await write(randomBytes(10));
      expect(await store.delete([blob.id, blob.id, '0'.repeat(32)])).toEqual([blob.id, blob.id, '0'.repeat(32)]);
      await expect(store.open(blob.id, 0, 10)).rejects.toBeInstanceOf(BlobNotFoundError);
      await expect(store.open('0'.repeat(32), 0, 10)).rejects.toBeInstanceOf(BlobNotFoundError);
      await expect(store.open('../../etc/passwd', 0, 10)).rejects.toBeInstanceOf(BlobNotFoundError);
      expect(await listed(store, -60_000)).toEqual([]);
      expect(await store.removeAbandoned(-60_000)).toBe(0);
    });

    it('closes a reader twice and in the middle', async () => {
      const blob = await write(randomBytes(3 * MIB));
      const reader = await store.open(blob.id, 0, 3 * MIB);
      await reader.next();
      const pending = reader.next();
      await Promise.all([reader.close(), reader.close()]);
      await pending;
    });

    it('lists committed blobs by age', async () => {
      const blobs = await Promise.all(Array.from({ length: 20 }, () => write(randomBytes(10))));
      expect((await listed(store, -60_000)).sort()).toEqual(blobs.map((blob) => blob.id).sort());
      expect(await listed(store, 60_000)).toEqual([]);
    });

    it('spares a writer under way unless it is old', async () => {
      const writer = await store.create();
      await writer.write([randomBytes(MIB)]);
      expect(await store.removeAbandoned(60_000)).toBe(0);
      const blob = await writer.commit();
      expect(blob.size).toBe(MIB);
    });

    it('proves itself usable', async () => {
      await expect(store.probe()).resolves.toBeUndefined();
    });
  });
}

async function readAll(reader: BlobReader): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    for (let chunk = await reader.next(); chunk !== undefined; chunk = await reader.next()) {
      chunks.push(chunk);
    }
  } finally {
    await reader.close();
  }
  return Buffer.concat(chunks);
}

async function listed(store: BlobStore, ageMs: number): Promise<string[]> {
  const ids: string[] = [];
  for await (const batch of store.listOlderThan(ageMs)) {
    ids.push(...batch);
  }
  return ids;
}
