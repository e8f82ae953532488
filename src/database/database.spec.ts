import { createTestDatabase, type TestDatabase } from '../../test/support/database';
import { eventually } from '../../test/support/eventually';

describe('Database', () => {
  let test: TestDatabase;

  beforeAll(async () => {
    test = await createTestDatabase();
    await test.database.execute({ name: 'create', text: 'CREATE TABLE sample (id int PRIMARY KEY)' });
  });
  afterAll(() => test.close());

  it('rolls a failed transaction back', async () => {
    await expect(
      test.database.transaction(async (transaction) => {
        await transaction.execute({ name: 'insert', text: 'INSERT INTO sample VALUES ($1)' }, [1]);
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect(await test.database.query({ name: 'select', text: 'SELECT id FROM sample' })).toEqual([]);
  });

  it('fails a transaction whose connection was ended by the server between two statements, and goes on', async () => {
    const pids = { name: 'pid', text: 'SELECT pg_backend_pid() AS pid' };
    const statement = 'SELECT count(pg_terminate_backend(pid))::int AS left FROM pg_stat_activity WHERE pid = $1';
    await expect(
      test.database.transaction(async (transaction) => {
        await transaction.execute({ name: 'insert', text: 'INSERT INTO sample VALUES ($1)' }, [2]);
        const [backend] = await transaction.query<{ pid: number }>(pids);
        await eventually(async () =>
          expect(await test.database.query({ name: 'end', text: statement }, [backend?.pid])).toEqual([{ left: 0 }]),
        );
      }),
    ).rejects.toMatchObject({ kind: 'database-unavailable' });
    expect(await test.database.query({ name: 'select', text: 'SELECT id FROM sample' })).toEqual([]);
  });

  it('delivers a notification only when its transaction commits', async () => {
    const received: string[] = [];
    const delivered = new Promise<void>((resolve) => {
      void test.database
        .listen(
          'sample',
          (payload) => {
            received.push(payload);
            if (payload === 'last') resolve();
          },
          () => undefined,
        )
        .then(async () => {
          await test.database
            .transaction(async (transaction) => {
              await transaction.notify('sample', 'rolled back');
              throw new Error('no');
            })
            .catch(() => undefined);
          await test.database.transaction((transaction) => transaction.notify('sample', 'committed'));
          await test.database.notify('sample', 'last');
        });
    });
    await delivered;
    expect(received).toEqual(['committed', 'last']);
  });

  it('listens again after its connection was ended by the server', async () => {
    const listener = await test.another();
    const messages: string[] = [];
    let heard: () => void = () => undefined;
    const reconnected = new Promise<void>((resolve) => {
      void listener
        .listen(
          'again',
          (payload) => {
            messages.push(payload);
            heard();
          },
          resolve,
        )
        .then(() =>
          test.database.query({
            name: 'terminate',
            text: 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = \'LISTEN "again"\'',
          }),
        );
    });
    await reconnected;
    const message = new Promise<void>((resolve) => (heard = resolve));
    await test.database.notify('again', 'after');
    await message;
    expect(messages).toEqual(['after']);
  });
});
