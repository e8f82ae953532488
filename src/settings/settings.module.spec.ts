import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Test } from '@nestjs/testing';
import { overlayVariableNames } from './environment-overlay';
import { loadSettings } from './load-settings';
import { ROOT_KEY } from './root-key';
import { Settings } from './settings';
import { SETTINGS } from './settings-table';
import { SettingsModule } from './settings.module';

describe('SettingsModule', () => {
  it('provides the settings and the root key', async () => {
    const cwd = mkdtempSync(join(tmpdir(), 'settings-module-'));
    try {
      const settings = loadSettings({}, cwd);
      const app = await Test.createTestingModule({ imports: [SettingsModule.forRoot(settings)] }).compile();
      expect(app.get(Settings)).toBe(settings);
      expect(app.get<Buffer>(ROOT_KEY)).toHaveLength(32);
      await app.close();
    } finally {
      rmSync(cwd, { recursive: true });
    }
  });
});

describe('the settings table', () => {
  it('gives no name twice', () => {
    const names = SETTINGS.flatMap((variable) => [variable.name, ...variable.aliases]);
    expect(new Set(names).size).toBe(names.length);
  });

  it('gives no name of dynamic configuration twice', () => {
    const names = overlayVariableNames();
    expect(new Set(names).size).toBe(names.length);
  });
});
