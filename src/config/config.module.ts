import { Global, Module } from '@nestjs/common';
import { ConfigJournal } from './config-journal';
import { ConfigManager } from './config-manager';

/** Gives every module the {@link ConfigManager}; needs the database and the settings, which are global too. */
@Global()
@Module({ providers: [ConfigManager, ConfigJournal], exports: [ConfigManager, ConfigJournal] })
export class ConfigManagerModule {}
