import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { createTestStorage, type TestStorage } from '../../test/support/storage';
import { Settings, type SettingsValues } from '../settings/settings';
import { BlobScrubber } from './blob-scrubber.service';
import { ScrubRepository } from './scrub.repository';

const CONTENT = Buffer.alloc(100_000, 7);

describe('the scrubber', () => {
  let storage: TestStorage;
  let repository: ScrubRepository;
  let scrubber: BlobScrubber;

  beforeAll(() => Logger.overrideLogger(false));
  beforeEach(async () => {
    storage = await createTestStorage();
    repository = new ScrubRepository(storage.database.database);
    const settings = new Settings({ scrubIntervalSeconds: 3_600, scrubRate: 1024 ** 4 } as SettingsValues);
    scrubber = new BlobScrubber(repository, storage.blobs, settings);
    await storage.buckets.create('bucket', 'owner');
    await storage.put('bucket', 'a', CONTENT);
    await storage.put('bucket', 'b', CONTENT, { encryption: { mode: 'sse-kms' } });
    await storage.put('bucket', 'inline', 'small');
  });
  afterEach(() => storage.close());

  const fileOf = async (key: string): Promise<string> => {
    const [row] = await storage.database.database.query<{ blob_id: string }>(
      { name: 'test.blob-of', text: 'SELECT blob_id FROM object_version WHERE key = $1' },
      [key],
    );
    const names = await readdir(storage.directory, { recursive: true });
    return join(
      storage.directory,
      names.find((name) => name.endsWith(row!.blob_id))!,
    );
  };
  const round = async (): Promise<void> => {
    await repository.request();
    expect(await scrubber.step()).toBe(true);
  };

  it('finds nothing where nothing is wrong, and waits for the next time', async () => {
    await round();
    expect(await repository.status()).toMatchObject({ running: false, blobs: 2, damaged: 0 });
    expect(await repository.damage('', 10)).toEqual([]);
    expect(await scrubber.step()).toBe(false);
  });

  it('finds a flipped bit, and forgets it when it was mended', async () => {
    const file = await fileOf('b');
    const bytes = await readFile(file);
    bytes[70_000]! ^= 1;
    await writeFile(file, bytes);
    await round();
    expect(await repository.status()).toMatchObject({ blobs: 2, damaged: 1 });
    expect(await repository.damage('', 10)).toMatchObject([
      { reason: 'altered', bucket: 'bucket', key: 'b', versionId: 'null' },
    ]);
    bytes[70_000]! ^= 1;
    await writeFile(file, bytes);
    await round();
    expect(await repository.damage('', 10)).toEqual([]);
  });

  it('finds blobs that are short or missing, but not those that were deleted', async () => {
    await truncate(await fileOf('a'), 5_000);
    await rm(await fileOf('b'));
    await round();
    const found = await repository.damage('', 10);
    expect(found.map(({ key, reason }) => [key, reason]).sort()).toEqual([
      ['a', 'short'],
      ['b', 'missing'],
    ]);
    await storage.objects.delete('bucket', { key: 'b' });
    await round();
    expect((await repository.damage('', 10)).map(({ key }) => key)).toEqual(['a']);
  });

  it('goes on where a process was killed', async () => {
    await repository.request();
    const dead = await repository.take();
    const [first] = await repository.blobs('', 1);
    await repository.advance(dead!, first!, false);
    expect(await scrubber.step()).toBe(false);
    await storage.database.database.execute({
      name: 'test.expire-scrub',
      text: `UPDATE blob_scrub SET lease_until = clock_timestamp() - interval '1 second'`,
    });
    expect(await scrubber.step()).toBe(true);
    expect(await repository.status()).toMatchObject({ running: false, blobs: 2 });
    expect(await repository.advance(dead!, first!, false)).toBe(false);
  });
});
