import { createTestDatabase, type TestDatabase } from '../../test/support/database';
import { KeyWrapsRepository } from './key-wraps.repository';
import { WRAP_BLOCK, WrapCounter } from './wrap-counter';

describe('WrapCounter', () => {
  let test: TestDatabase;
  let repository: KeyWrapsRepository;

  beforeAll(async () => {
    test = await createTestDatabase();
    repository = new KeyWrapsRepository(test.database);
  });
  afterAll(() => test.close());

  const stored = async (keyId: string, keyVersion = '1'): Promise<number | undefined> =>
    (await repository.find('vault:a', [keyId])).find((each) => each.keyVersion === keyVersion)?.wraps;

  it('reserves blocks, and asks the database once for each', async () => {
    const add = jest.spyOn(repository, 'add');
    const counter = new WrapCounter(repository);
    for (let done = 0; done < 3 * WRAP_BLOCK; done++) {
      counter.count('vault:a', 'busy', '1');
      if (done % 100 === 0) {
        await counter.settled();
      }
    }
    await counter.settled();
    expect(await stored('busy')).toBeGreaterThanOrEqual(3 * WRAP_BLOCK);
    expect(await stored('busy')).toBeLessThanOrEqual(4 * WRAP_BLOCK + 1);
    expect(add.mock.calls.length).toBeLessThanOrEqual(4);
    add.mockRestore();
  });

  it('adds up what several processes count, and is exact after they have ended in order', async () => {
    const counters = [new WrapCounter(repository), new WrapCounter(repository)];
    for (const [index, counter] of counters.entries()) {
      for (let done = 0; done < 700 + index; done++) {
        counter.count('vault:a', 'shared', '1');
      }
      counter.count('vault:a', 'shared', '2');
      counter.count('vault:a', 'unversioned');
    }
    await Promise.all(counters.map((counter) => counter.settled()));
    expect(await stored('shared')).toBeGreaterThanOrEqual(1_401);
    await Promise.all(counters.map((counter) => counter.beforeApplicationShutdown()));
    expect(await stored('shared')).toBe(1_401);
    expect(await stored('shared', '2')).toBe(2);
    expect(await stored('unversioned', '')).toBe(2);
  });

  it('counts too much rather than too little when a process dies', async () => {
    const counter = new WrapCounter(repository);
    counter.count('vault:a', 'crashed', '1');
    await counter.settled();
    expect(await stored('crashed')).toBe(WRAP_BLOCK + 1);
  });

  it('keeps counting while the database is away, and catches up', async () => {
    const counter = new WrapCounter(repository);
    const add = jest.spyOn(repository, 'add').mockRejectedValue(new Error('away'));
    for (let done = 0; done < 2_500; done++) {
      counter.count('vault:a', 'later', '1');
    }
    await counter.settled();
    expect(await stored('later')).toBeUndefined();
    add.mockRestore();
    counter.count('vault:a', 'later', '1');
    await counter.settled();
    expect(await stored('later')).toBe(2_501 + WRAP_BLOCK);
  });
});
