import { Global, Module } from '@nestjs/common';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { Settings } from '../settings/settings';
import { connectionOptions } from './connection-options';
import { Database } from './database';

/** Gives every module the database; migrations have run before the application starts. */
@Global()
@Module({
  imports: [
    TypeOrmModule.forRootAsync({
      inject: [Settings],
      useFactory: (settings: Settings) => ({
        ...connectionOptions(requireUrl(settings), settings.databasePoolSize),
        retryAttempts: 5,
        retryDelay: 500,
      }),
    }),
  ],
  providers: [
    {
      provide: Database,
      inject: [getDataSourceToken()],
      useFactory: (dataSource: DataSource) => new Database(dataSource),
    },
  ],
  exports: [Database],
})
export class DatabaseModule {}

function requireUrl(settings: Settings): string {
  if (settings.databaseUrl === undefined) {
    throw new Error('DATABASE_URL is unset: the primary process starts the embedded server and passes its address on');
  }
  return settings.databaseUrl.reveal();
}
