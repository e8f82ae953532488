import { Global, Module } from '@nestjs/common';
import { ConfigManager } from './config-manager';

/** Gives every module the {@link ConfigManager}; needs the database and the settings, which are global too. */
@Global()
@Module({ providers: [ConfigManager], exports: [ConfigManager] })
export class ConfigManagerModule {}
