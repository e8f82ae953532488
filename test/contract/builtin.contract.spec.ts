import { randomBytes } from 'node:crypto';
import { Keyring } from '../../src/kms/keyring';
import { KeyringRepository } from '../../src/kms/keyring.repository';
import { builtinSettings } from '../../src/kms/providers/builtin-settings';
import { BuiltinProvider } from '../../src/kms/providers/builtin.provider';
import { createTestDatabase } from '../support/database';
import { describeKmsProvider } from './kms-provider.contract';
import { pinnedCapabilities } from './provider-pins';

const CAPABILITIES = pinnedCapabilities('builtin');

describeKmsProvider('embedded keyring', CAPABILITIES, async () => {
  const { database, close } = await createTestDatabase();
  const keyring = new Keyring(database, new KeyringRepository(database), randomBytes(32));
  await keyring.onModuleInit();
  return {
    provider: new BuiltinProvider(keyring, builtinSettings({})),
    dispose: async () => {
      await keyring.onApplicationShutdown();
      await close();
    },
  };
});
