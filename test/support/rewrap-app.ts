import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Type } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { Secret } from '../../src/common/secret';
import { ConfigManager } from '../../src/config/config-manager';
import { ConfigManagerModule } from '../../src/config/config.module';
import { DatabaseModule } from '../../src/database/database.module';
import { BucketService } from '../../src/object-storage/bucket.service';
import { KeyUsageService } from '../../src/object-storage/key-usage.service';
import { MultipartService } from '../../src/object-storage/multipart.service';
import { ObjectService } from '../../src/object-storage/object.service';
import type { PutObjectCommand } from '../../src/object-storage/object-storage.types';
import { RewrapModule } from '../../src/rewrap/rewrap.module';
import { RewrapService } from '../../src/rewrap/rewrap.service';
import type { NewRewrapJob, RewrapJob } from '../../src/rewrap/rewrap.types';
import { loadSettings } from '../../src/settings/load-settings';
import { Settings } from '../../src/settings/settings';
import { SettingsModule } from '../../src/settings/settings.module';
import type { FakeVault } from '../fakes/vault-server';
import { createTestDatabase, type TestDatabase } from './database';
import { eventually } from './eventually';
import { bodyOf, contentOf } from './storage';

/** One process of the fleet, in this one: object store, KMSs and rewrapping on a real database. */
export interface RewrapApp {
  readonly module: TestingModule;
  readonly database: TestDatabase;
  readonly objects: ObjectService;
  readonly multipart: MultipartService;
  readonly buckets: BucketService;
  readonly usage: KeyUsageService;
  readonly rewrap: RewrapService;
  readonly config: ConfigManager;
  /** Configures a scripted Vault as `vault:<target>`. */
  useVault(target: string, vault: FakeVault, more?: Readonly<Record<string, unknown>>): Promise<void>;
  put(bucket: string, key: string, content: string, more?: Partial<PutObjectCommand>): Promise<string | undefined>;
  read(bucket: string, key: string, versionId?: string): Promise<string>;
  /** Runs a job to its end. */
  run(order: Partial<NewRewrapJob>): Promise<RewrapJob>;
  close(): Promise<void>;
}

/** Starts the store without any of its faces. @param more modules that are to run with it */
export async function startRewrapApp(more: readonly Type[] = []): Promise<RewrapApp> {
  const database = await createTestDatabase();
  const directory = await mkdtemp(join(tmpdir(), 'strongroom-rewrap-'));
  const environment = { STRONGROOM_ROOT_KEY: randomBytes(32).toString('base64'), STRONGROOM_DATA_DIR: directory };
  const settings = new Settings({
    ...loadSettings(environment, tmpdir()),
    databaseUrl: new Secret(database.url),
  });
  const module = await Test.createTestingModule({
    imports: [SettingsModule.forRoot(settings), DatabaseModule, ConfigManagerModule, RewrapModule, ...more],
  }).compile();
  module.useLogger(['fatal']);
  await module.init();
  const objects = module.get(ObjectService, { strict: false });
  const rewrap = module.get(RewrapService, { strict: false });
  const config = module.get(ConfigManager, { strict: false });
  return {
    module,
    database,
    objects,
    rewrap,
    config,
    multipart: module.get(MultipartService, { strict: false }),
    buckets: module.get(BucketService, { strict: false }),
    usage: module.get(KeyUsageService, { strict: false }),
    useVault: async (target, vault, more = {}) => {
      const values = { endpoint: vault.url, token: vault.rootToken, key_name: 'objects', enabled: true, ...more };
      await config.set('kms_vault', target, values, { changedBy: 'test' });
    },
    put: async (bucket, key, content, more = {}) => {
      const command = { bucket, key, body: bodyOf(content), metadata: { user: {} }, owner: 'owner' };
      return (await objects.put({ ...command, ...more })).versionId;
    },
    read: async (bucket, key, versionId) =>
      (await contentOf(await objects.open({ bucket, key, versionId }))).toString(),
    run: async (order) => {
      const { id } = await rewrap.create({ selection: {}, dryRun: false, createdBy: 'test', ...order });
      await eventually(async () => expect((await rewrap.get(id)).state).not.toBe('running'));
      return rewrap.get(id);
    },
    close: async () => {
      await module.close();
      await database.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
