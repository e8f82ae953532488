import { createTestUser, type TestUser } from '../support/admin-caller';
import { TestServer } from '../support/server';

const JOBS = '/api/v1/rewrap-jobs';
const CREATE = { Effect: 'Allow', Action: 'admin:CreateRewrapJob', Resource: ['*'] };
const RED = { kms: 'builtin:default', keyId: 'red' };
const on = (Action: string, id: string) => ({ Effect: 'Allow', Action, Resource: [`arn:aws:kms:::key/${id}`] });

describe('permissions on the keys of a rewrap job', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await TestServer.start();
    for (const id of ['red', 'blue', 'green']) {
      const { status } = await server.admin('POST', `/rustfs/admin/v3/kms/key/create?key-id=${id}`);
      expect(status).toBe(200);
    }
  });
  afterAll(() => server.stop());

  const create = async (user: TestUser, body: object): Promise<number> =>
    (await user.admin('POST', JOBS, { dryRun: true, ...body })).status;

  it('name the key that is left and the key that is gone to', async () => {
    const mover = await createTestUser(server, 'mover', [
      CREATE,
      on('kms:ReEncryptFrom', 'red'),
      on('kms:ReEncryptTo', 'blue'),
    ]);
    expect(await create(mover, { selection: RED, target: 'blue' })).toBe(201);
    expect(await create(mover, { selection: RED, target: 'green' })).toBe(403);
    expect(await create(mover, { selection: { ...RED, keyId: 'green' }, target: 'blue' })).toBe(403);
    // To the newest version of the key itself means both on the same key.
    expect(await create(mover, { selection: RED })).toBe(403);
  });

  it('are asked for on all keys where the job does not name one', async () => {
    const narrow = await createTestUser(server, 'narrow', [
      CREATE,
      on('kms:ReEncryptFrom', 'red'),
      on('kms:ReEncryptTo', 'blue'),
    ]);
    expect(await create(narrow, { target: 'blue' })).toBe(403);
    expect(await create(narrow, { selection: { kms: RED.kms }, target: 'blue' })).toBe(403);
    const wide = await createTestUser(server, 'wide', [
      CREATE,
      on('kms:ReEncryptFrom', '*'),
      on('kms:ReEncryptTo', 'blue'),
    ]);
    expect(await create(wide, { target: 'blue' })).toBe(201);
  });

  it('are decided before whether a target exists, and hold for second seals too', async () => {
    const user = await createTestUser(server, 'user', [
      CREATE,
      on('kms:ReEncryptFrom', 'red'),
      on('kms:ReEncryptTo', 'blue'),
    ]);
    expect(await create(user, { selection: RED, target: 'vault:none/key' })).toBe(403);
    const escrow = { selection: RED, target: 'blue', escrow: 'add' };
    expect(await create(user, { ...escrow, escrowTarget: 'builtin:default/green' })).toBe(403);
    expect(await create(user, { ...escrow, escrowTarget: 'builtin:default/blue' })).toBe(400);
  });

  it('are not enough without the permission to start jobs, and a denial counts above all', async () => {
    const keys = [on('kms:ReEncryptFrom', '*'), on('kms:ReEncryptTo', '*')];
    expect(await create(await createTestUser(server, 'keys-only', keys), { selection: RED, target: 'blue' })).toBe(403);
    const denied = await createTestUser(server, 'denied', [
      CREATE,
      ...keys,
      { ...on('kms:ReEncryptTo', 'blue'), Effect: 'Deny' },
    ]);
    expect(await create(denied, { selection: RED, target: 'blue' })).toBe(403);
    expect(await create(denied, { selection: RED, target: 'green' })).toBe(201);
  });
});
