import { Module, type DynamicModule } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { loadSettings } from './load-settings';
import { loadRootKey, ROOT_KEY } from './root-key';
import { Settings } from './settings';

/** Provides {@link Settings} and the root key (`@Inject(ROOT_KEY)`) everywhere. */
@Module({})
export class SettingsModule {
  /**
   * @param settings what the process already loaded; by default the environment and `.env` are read now
   * @throws SettingsError (rejects) naming every wrong setting
   */
  static forRoot(settings?: Settings): DynamicModule {
    return {
      module: SettingsModule,
      global: true,
      imports: [
        ConfigModule.forRoot({
          // Both are read by loadSettings, which reports their problems together with those of the settings file.
          ignoreEnvFile: true,
          ignoreEnvVars: true,
          skipProcessEnv: true,
          validate: () => ({ settings: settings ?? loadSettings() }),
        }),
      ],
      providers: [
        {
          provide: Settings,
          inject: [ConfigService],
          useFactory: (config: ConfigService) => config.getOrThrow<Settings>('settings'),
        },
        { provide: ROOT_KEY, inject: [Settings], useFactory: loadRootKey },
      ],
      exports: [Settings, ROOT_KEY],
    };
  }
}
