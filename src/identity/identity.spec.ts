import { randomBytes } from 'node:crypto';
import { createTestDatabase, type TestDatabase } from '../../test/support/database';
import { Secret } from '../common/secret';
import type { Database } from '../database/database';
import type { Settings } from '../settings/settings';
import { AccessKeyRepository } from './access-key.repository';
import { AccessKeyService } from './access-key.service';
import { CANNED_POLICIES } from './canned-policies';
import { GroupRepository } from './group.repository';
import { IdentityAdminService } from './identity-admin.service';
import { IdentityChangeRepository } from './identity-change.repository';
import { IdentityRepository } from './identity.repository';
import { IdentityService } from './identity.service';
import { ANONYMOUS, type AccessRequest, type Principal } from './identity.types';
import { PolicyRepository } from './policy.repository';
import { ensureRootCredentials } from './root-credentials';
import { UserRepository } from './user.repository';

const ROOT_KEY = randomBytes(32);
const SETTINGS = { rootUser: 'rootuser', rootPassword: new Secret('root-password') } as Settings;

interface Process {
  readonly identity: IdentityService;
  readonly admin: IdentityAdminService;
  readonly keys: AccessKeyService;
}

/** The identity module as one process has it. */
async function startProcess(database: Database): Promise<Process> {
  const identity = new IdentityService(database, new IdentityRepository(database), SETTINGS, ROOT_KEY);
  await identity.onModuleInit();
  const changes = new IdentityChangeRepository(database, identity);
  return {
    identity,
    admin: new IdentityAdminService(
      new UserRepository(changes),
      new GroupRepository(changes),
      new PolicyRepository(changes),
    ),
    keys: new AccessKeyService(new AccessKeyRepository(changes), identity, ROOT_KEY),
  };
}

const getObject = (principal: Principal, key = 'photos/cat'): AccessRequest => ({
  principal,
  action: 's3:GetObject',
  resource: `arn:aws:s3:::${key}`,
  conditions: {},
});

describe('root credentials', () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createTestDatabase();
  });
  afterEach(() => database.close());

  it('are generated once, sealed, and the same for everyone', async () => {
    const all = await Promise.all([1, 2, 3].map(() => ensureRootCredentials(database.database, ROOT_KEY, {})));
    expect(all.filter((credentials) => credentials.generated)).toHaveLength(1);
    expect(new Set(all.map((credentials) => credentials.secretKey.reveal())).size).toBe(1);
    const [row] = await database.database.query<{ sealed: string }>({
      name: 'test.root',
      text: `SELECT encode(sealed_secret, 'escape') AS sealed FROM root_credential`,
    });
    expect(row?.sealed).not.toContain(all[0]?.secretKey.reveal());
  });

  it('come from the settings when given, and are not stored', async () => {
    const credentials = await ensureRootCredentials(database.database, ROOT_KEY, SETTINGS);
    expect(credentials).toMatchObject({ accessKeyId: 'rootuser', generated: false });
    const rows = await database.database.query({ name: 'test.count', text: 'SELECT 1 FROM root_credential' });
    expect(rows).toHaveLength(0);
  });

  it('say what to do when the root key is another one', async () => {
    await ensureRootCredentials(database.database, ROOT_KEY, {});
    await expect(ensureRootCredentials(database.database, randomBytes(32), {})).rejects.toMatchObject({
      kind: 'RootCredentialsUnreadable',
      remedy: expect.stringContaining('STRONGROOM_ROOT_KEY'),
    });
  });
});

describe('identity', () => {
  let database: TestDatabase;
  let here: Process;
  let elsewhere: Process;
  let root: Principal;

  beforeEach(async () => {
    database = await createTestDatabase();
    here = await startProcess(database.database);
    elsewhere = await startProcess(await database.another());
    root = (await here.identity.findCredential('rootuser'))?.principal as Principal;
  });
  afterEach(async () => {
    await Promise.all([here.identity.onModuleDestroy(), elsewhere.identity.onModuleDestroy()]);
    await database.close();
  });

  async function createUser(name: string, policy?: string): Promise<Principal> {
    await here.admin.createUser(name);
    if (policy !== undefined) {
      await here.admin.attachPolicy(policy, { user: name });
    }
    const { key } = await here.keys.create({ userName: name }, root);
    return (await here.identity.findCredential(key.accessKeyId))?.principal as Principal;
  }

  /** Polls another process until its cache has heard of a change. */
  async function eventually(check: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + 5_000;
    while (!(await check())) {
      if (Date.now() > deadline) {
        throw new Error('The other process never heard of the change');
      }
      await new Promise(setImmediate);
    }
  }

  it('finds root and lets it do everything', async () => {
    expect(await here.identity.findCredential('rootuser')).toMatchObject({
      status: 'enabled',
      principal: { kind: 'root', name: 'root' },
    });
    expect(await here.identity.authorize(getObject(root))).toEqual({ allowed: true, reason: 'root' });
  });

  it('refuses anonymous callers and users without policies', async () => {
    const alice = await createUser('alice');
    expect((await here.identity.authorize(getObject(ANONYMOUS))).allowed).toBe(false);
    expect(await here.identity.authorize(getObject(alice))).toEqual({ allowed: false, reason: 'implicit-deny' });
  });

  it('gives users what policies of their own and of their enabled groups allow', async () => {
    const alice = await createUser('alice', 'readonly');
    const bob = await createUser('bob');
    await here.admin.createGroup('readers', ['bob']);
    await here.admin.attachPolicy('readonly', { group: 'readers' });
    expect((await here.identity.authorize(getObject(alice))).reason).toBe('allow:readonly');
    expect((await here.identity.authorize(getObject(bob))).reason).toBe('allow:readonly');
    await here.admin.setGroupStatus('readers', 'disabled');
    expect((await here.identity.authorize(getObject(bob))).allowed).toBe(false);
    await here.admin.setGroupStatus('readers', 'enabled');
    await here.admin.removeGroupMembers('readers', ['bob']);
    expect((await here.identity.authorize(getObject(bob))).allowed).toBe(false);
  });

  it('applies bucket policies to everyone and denies when one cannot be read', async () => {
    const statement = { Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: 'arn:aws:s3:::photos/*' };
    const policy = JSON.stringify({ Version: '2012-10-17', Statement: statement });
    expect((await here.identity.authorize(getObject(ANONYMOUS), policy)).reason).toBe('allow:bucket-policy');
    expect((await here.identity.authorize(getObject(ANONYMOUS), '{')).allowed).toBe(false);
    const alice = await createUser('alice', 'readonly');
    expect((await here.identity.authorize(getObject(alice), '{')).reason).toBe(
      'explicit-deny:unreadable:bucket-policy',
    );
  });

  it('knows policy variables of the caller and believes no others', async () => {
    const alice = await createUser('alice');
    const own = { Effect: 'Allow', Action: 's3:*', Resource: 'arn:aws:s3:::photos/${aws:username}/*' };
    await here.admin.putPolicy('home', JSON.stringify({ Version: '2012-10-17', Statement: own }));
    await here.admin.attachPolicy('home', { user: 'alice' });
    expect((await here.identity.authorize(getObject(alice, 'photos/alice/x'))).allowed).toBe(true);
    const forged = { ...getObject(alice, 'photos/bob/x'), conditions: { 'AWS:UserName': 'bob' } };
    expect((await here.identity.authorize(forged)).allowed).toBe(false);
  });

  it('narrows an access key by its session policy', async () => {
    const statement = { Effect: 'Allow', Action: 's3:GetObject', Resource: 'arn:aws:s3:::photos/*' };
    const sessionPolicy = JSON.stringify({ Version: '2012-10-17', Statement: statement });
    await createUser('alice', 'readwrite');
    for (const userName of ['alice', undefined]) {
      const { key } = await here.keys.create({ userName, sessionPolicy }, root);
      const principal = (await here.identity.findCredential(key.accessKeyId))?.principal as Principal;
      expect(principal.kind).toBe('user');
      expect((await here.identity.authorize(getObject(principal))).allowed).toBe(true);
      expect((await here.identity.authorize(getObject(principal, 'other/x'))).allowed).toBe(false);
    }
  });

  it('checks secrets, and refuses disabled, expired and deleted keys', async () => {
    await here.admin.createUser('alice');
    const secretKey = new Secret('alices-secret');
    const expiresAt = new Date(Date.now() + 3_600_000);
    await here.keys.create({ userName: 'alice', accessKeyId: 'ALICE', secretKey, expiresAt }, root);
    const check = (secret = 'alices-secret'): Promise<Principal | undefined> =>
      here.identity.checkSecret('ALICE', secret);
    expect(await check()).toMatchObject({ name: 'alice' });
    expect(await check('wrong')).toBeUndefined();
    expect(await here.identity.checkSecret('NOBODY', '')).toBeUndefined();
    await here.keys.update('ALICE', { status: 'disabled' }, root);
    expect(await check()).toBeUndefined();
    await here.keys.update('ALICE', { status: 'enabled', secretKey: new Secret('another-secret') }, root);
    expect(await check('another-secret')).toBeDefined();
    await here.admin.setUserStatus('alice', 'disabled');
    expect(await check('another-secret')).toBeUndefined();
    await here.admin.setUserStatus('alice', 'enabled');
    jest.useFakeTimers({ now: expiresAt, doNotFake: ['nextTick', 'setImmediate', 'setTimeout', 'performance'] });
    try {
      expect(await check('another-secret')).toBeUndefined();
    } finally {
      jest.useRealTimers();
    }
    await here.admin.deleteUser('alice');
    expect(await here.identity.findCredential('ALICE')).toBeUndefined();
  });

  it('tells every process of a change', async () => {
    const alice = await createUser('alice', 'readonly');
    const accessKeyId = alice.accessKeyId as string;
    expect((await elsewhere.identity.authorize(getObject(alice))).allowed).toBe(true);
    await here.admin.detachPolicy('readonly', { user: 'alice' });
    await eventually(async () => !(await elsewhere.identity.authorize(getObject(alice))).allowed);
    expect((await elsewhere.identity.findCredential(accessKeyId))?.status).toBe('enabled');
    await here.keys.delete(accessKeyId, root);
    await eventually(async () => (await elsewhere.identity.findCredential(accessKeyId)) === undefined);
    expect((await here.identity.authorize(getObject(alice))).reason).toBe('unknown-principal');
  });

  it('stores secrets sealed', async () => {
    await here.admin.createUser('alice');
    await here.keys.create({ userName: 'alice', accessKeyId: 'ALICE', secretKey: new Secret('plain-secret') }, root);
    const [row] = await database.database.query<{ dump: string }>({
      name: 'test.dump',
      text: `SELECT encode(sealed_secret, 'escape') || k::text AS dump FROM access_key k`,
    });
    expect(row?.dump).not.toContain('plain-secret');
  });

  it('keeps keys of root from others', async () => {
    const alice = await createUser('alice', 'consoleAdmin');
    const { key } = await here.keys.create({}, root);
    await expect(here.keys.create({}, alice)).rejects.toMatchObject({ kind: 'InvalidInput' });
    await expect(here.keys.get(key.accessKeyId, alice)).rejects.toMatchObject({ kind: 'NoSuchEntity' });
    await expect(here.keys.delete(key.accessKeyId, alice)).rejects.toMatchObject({ kind: 'NoSuchEntity' });
    expect((await here.keys.list(undefined, alice)).map((listed) => listed.userName)).toEqual(['alice']);
    expect(await here.keys.list(undefined, root)).toHaveLength(2);
  });

  it('knows every canned policy and protects them', async () => {
    const names = (await here.admin.listPolicies()).map((policy) => policy.name);
    expect(names).toEqual(CANNED_POLICIES.map((policy) => policy.name).sort());
    const { document } = CANNED_POLICIES[0] as { document: string };
    await expect(here.admin.putPolicy('readonly', document)).rejects.toMatchObject({ kind: 'DeleteConflict' });
    await expect(here.admin.deletePolicy('readonly')).rejects.toMatchObject({ kind: 'DeleteConflict' });
  });

  it('finds no credential for ids that no key can have', async () => {
    for (const id of ['', '\0', 'x'.repeat(5000), "'; DROP TABLE access_key; --"]) {
      expect(await here.identity.findCredential(id)).toBeUndefined();
    }
  });
});

describe('identity, asked for what it refuses', () => {
  let database: TestDatabase;
  let here: Process;
  let root: Principal;

  beforeAll(async () => {
    database = await createTestDatabase();
    here = await startProcess(database.database);
    root = (await here.identity.findCredential('rootuser'))?.principal as Principal;
    await here.admin.createUser('alice');
    const statement = { Effect: 'Allow', Action: 's3:*', Resource: '*' };
    await here.admin.putPolicy('attached', JSON.stringify({ Statement: statement }));
    await here.admin.attachPolicy('attached', { user: 'alice' });
  });
  afterAll(async () => {
    await here.identity.onModuleDestroy();
    await database.close();
  });

  it.each<[string, (process: Process) => Promise<unknown>, string]>([
    ['a user twice', ({ admin }) => admin.createUser('alice'), 'EntityAlreadyExists'],
    ['a user called root', ({ admin }) => admin.createUser('root'), 'InvalidInput'],
    ['a user with a slash', ({ admin }) => admin.createUser('a/b'), 'InvalidInput'],
    ['an unknown member', ({ admin }) => admin.createGroup('g', ['nobody']), 'NoSuchEntity'],
    ['an unknown group', ({ admin }) => admin.addGroupMembers('nobody', ['alice']), 'NoSuchEntity'],
    ['an unknown user', ({ admin }) => admin.setUserStatus('nobody', 'disabled'), 'NoSuchEntity'],
    ['an unknown policy', ({ admin }) => admin.attachPolicy('nothing', { user: 'alice' }), 'NoSuchEntity'],
    ['a policy for nobody', ({ admin }) => admin.attachPolicy('readonly', { group: 'nobody' }), 'NoSuchEntity'],
    ['what is not attached', ({ admin }) => admin.detachPolicy('writeonly', { user: 'alice' }), 'NoSuchEntity'],
    ['a malformed policy', ({ admin }) => admin.putPolicy('p', '{}'), 'MalformedPolicyDocument'],
    ['an attached policy', ({ admin }) => admin.deletePolicy('attached'), 'DeleteConflict'],
    ['a key for nobody', ({ keys }) => keys.create({ userName: 'nobody' }, root), 'NoSuchEntity'],
    ['the key id of root', ({ keys }) => keys.create({ accessKeyId: 'rootuser' }, root), 'EntityAlreadyExists'],
    ['a key id with a slash', ({ keys }) => keys.create({ accessKeyId: 'a/bc' }, root), 'InvalidInput'],
    ['a short secret', ({ keys }) => keys.create({ secretKey: new Secret('short') }, root), 'InvalidInput'],
    [
      'an id that only temporary credentials have',
      ({ keys }) => keys.create({ accessKeyId: 'ASIAABCDEFGHIJKLMNOP' }, root),
      'InvalidInput',
    ],
    ['a bad session policy', ({ keys }) => keys.create({ sessionPolicy: '[]' }, root), 'MalformedPolicyDocument'],
    ['a past expiry', ({ keys }) => keys.create({ expiresAt: new Date(0) }, root), 'InvalidInput'],
  ])('refuses %s', async (_, act, kind) => {
    await expect(act(here)).rejects.toMatchObject({ kind });
  });
});
