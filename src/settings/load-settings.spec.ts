import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadSettings } from './load-settings';
import { SettingsError } from './settings-error';

describe('loadSettings', () => {
  let cwd: string;

  beforeEach(() => {
    cwd = mkdtempSync(join(tmpdir(), 'settings-'));
  });

  afterEach(() => {
    rmSync(cwd, { recursive: true });
  });

  const write = (name: string, text: string): string => {
    writeFileSync(join(cwd, name), text);
    return name;
  };

  const problemsOf = (env: NodeJS.ProcessEnv): readonly string[] => {
    try {
      loadSettings(env, cwd);
    } catch (error) {
      if (error instanceof SettingsError) {
        return error.problems;
      }
      throw error;
    }
    return [];
  };

  it('needs nothing', () => {
    const settings = loadSettings({}, cwd);
    expect(settings).toMatchObject({
      host: '127.0.0.1',
      port: 9000,
      dataDir: join(cwd, 'data'),
      blobDir: join(cwd, 'data', 'blobs'),
      rootKeyFile: join(cwd, 'data', 'root.key'),
      workers: 1,
      region: 'us-east-1',
      s3Domains: [],
      autoEncryption: 'sse-s3',
      inlineLimit: 32768,
      dareCipher: 'AES-256-GCM',
      clockSkewSeconds: 900,
      warnings: [],
    });
    expect(settings.databaseUrl).toBeUndefined();
    expect(settings.tls).toBeUndefined();
    expect(settings.configOverlays.environment.size).toBe(0);
  });

  it.each([
    ['0.0.0.0:80', '0.0.0.0', 80],
    [':9000', '', 9000],
    ['[::1]:0', '::1', 0],
    ['store.example:443', 'store.example', 443],
  ])('reads the address %s', (text, host, port) => {
    expect(loadSettings({ STRONGROOM_ADDRESS: text }, cwd)).toMatchObject({ host, port });
  });

  it.each(['9000', 'host', 'host:', 'host:65536', 'http://host:80', '::1:9000'])('refuses the address %s', (text) => {
    expect(problemsOf({ STRONGROOM_ADDRESS: text })).toEqual([
      `STRONGROOM_ADDRESS="${text}": expected host:port, [ipv6]:port, or :port for every interface; correct it, or remove it to use 127.0.0.1:9000`,
    ]);
  });

  it('takes the process environment over .env, and .env over the file', () => {
    write('.env', 'STRONGROOM_REGION=from-env-file\nSTRONGROOM_WORKERS=2\n');
    write('store.yaml', 'region: from-file\nworkers: 3\nlog_level: debug\n');
    const settings = loadSettings({ STRONGROOM_WORKERS: '4', STRONGROOM_CONFIG_FILE: 'store.yaml' }, cwd);
    expect(settings).toMatchObject({ workers: 4, region: 'from-env-file', logLevel: 'debug' });
  });

  it('reads a JSON file with lists and documents', () => {
    write(
      'store.json',
      JSON.stringify({
        s3_domain: ['S3.Example.com', 's3.example.org'],
        config: { kms_vault: { endpoint: 'https://vault:8200', max_retries: 2 }, 'kms_vault:eu': { enabled: false } },
      }),
    );
    const settings = loadSettings({ STRONGROOM_CONFIG_FILE: 'store.json' }, cwd);
    expect(settings.s3Domains).toEqual(['s3.example.com', 's3.example.org']);
    const { file } = settings.configOverlays;
    expect(file.get('kms_vault:default')?.get('max_retries')?.value).toBe('2');
    expect(file.get('kms_vault:default')?.get('endpoint')?.origin).toBe(
      `config.kms_vault.endpoint in ${join(cwd, 'store.json')}`,
    );
    expect(file.get('kms_vault:eu')?.get('enabled')?.value).toBe('false');
  });

  it.each([
    ['MINIO_ROOT_USER', 'MINIO_ROOT_PASSWORD'],
    ['RUSTFS_ACCESS_KEY', 'RUSTFS_SECRET_KEY'],
  ])('takes root credentials from %s', (user, password) => {
    const settings = loadSettings({ [user]: 'admin', [password]: 'correct horse' }, cwd);
    expect(settings.rootUser).toBe('admin');
    expect(settings.rootPassword?.reveal()).toBe('correct horse');
    expect(JSON.stringify(settings)).not.toContain('correct horse');
  });

  it.each([
    ['on', 'sse-kms'],
    ['off', 'off'],
  ])('reads MinIO’s automatic encryption %s', (text, mode) => {
    expect(loadSettings({ MINIO_KMS_AUTO_ENCRYPTION: text }, cwd).autoEncryption).toBe(mode);
  });

  it('accepts two names that agree in meaning', () => {
    const env = { STRONGROOM_AUTO_ENCRYPTION: 'sse-kms', MINIO_KMS_AUTO_ENCRYPTION: 'on', WORKERS: '2' };
    expect(loadSettings(env, cwd)).toMatchObject({ autoEncryption: 'sse-kms', workers: 2 });
  });

  it('refuses two names that differ, naming both and the values only where they are no secret', () => {
    expect(
      problemsOf({
        STRONGROOM_WORKERS: '2',
        WORKERS: '3',
        STRONGROOM_ROOT_USER: 'admin',
        MINIO_ROOT_PASSWORD: 'first-secret',
        RUSTFS_SECRET_KEY: 'second-secret',
      }),
    ).toEqual([
      'STRONGROOM_WORKERS and WORKERS mean the same setting but differ ("2" and "3"); keep one of them',
      'MINIO_ROOT_PASSWORD and RUSTFS_SECRET_KEY mean the same setting but differ (values not shown); keep one of them',
    ]);
  });

  it('tells every problem in one message, with remedies and without secrets', () => {
    const problems = problemsOf({
      STRONGROOM_WORKERS: 'many',
      STRONGROOM_INLINE_LIMIT: '2MiB',
      STRONGROOM_LOG_LEVEL: 'loud',
      DATABASE_URL: 'mysql://user:hunter2@host/db',
      STRONGROOM_ROOT_USER: 'admin',
      STRONGROOM_ROOT_PASSWORD: 'hunter2',
      STRONGROOM_ROOT_KEY: 'hunter2',
      STRONGROOM_TLS_CERT_FILE: '/nowhere/cert.pem',
      STRONGROOM_WROKERS: '2',
      VAULT_SKIP_VERIFY: '1',
    });
    const text = problems.join('\n');
    for (const part of [
      'STRONGROOM_WORKERS="many": expected a whole number from 1 to 128',
      'STRONGROOM_INLINE_LIMIT="2MiB": expected bytes',
      'STRONGROOM_LOG_LEVEL="loud": expected fatal, error, warn',
      'DATABASE_URL (value not shown): expected postgres://',
      'STRONGROOM_ROOT_PASSWORD (value not shown): expected 8 to 256 characters',
      'STRONGROOM_ROOT_KEY (value not shown): expected 32 bytes',
      'STRONGROOM_TLS_CERT_FILE is set without its companion; set STRONGROOM_TLS_KEY_FILE too',
      'STRONGROOM_TLS_CERT_FILE="/nowhere/cert.pem" cannot be read',
      'STRONGROOM_WROKERS is not a setting; did you mean STRONGROOM_WORKERS?',
      'VAULT_SKIP_VERIFY turns certificate checks off',
    ]) {
      expect(text).toContain(part);
    }
    expect(problems).toHaveLength(10);
    expect(text).not.toContain('hunter2');
  });

  it('names the nearest setting for a mistyped one in the file', () => {
    const path = write('store.yaml', 'wokers: 2\nconfig: [1]\n');
    expect(problemsOf({ STRONGROOM_CONFIG_FILE: path })).toEqual([
      `"wokers" in ${join(cwd, path)} is not a setting; did you mean "workers"?`,
      `"config" in ${join(cwd, path)} must map documents such as kms_vault:default to their fields`,
    ]);
  });

  it.each([
    ['missing.yaml', undefined, 'ENOENT'],
    ['bad.yaml', 'a: [', 'not valid YAML or JSON'],
    ['text.yaml', 'just words', 'does not hold a mapping'],
  ])('refuses the file %s', (name, text, reason) => {
    if (text !== undefined) {
      write(name, text);
    }
    expect(problemsOf({ STRONGROOM_CONFIG_FILE: name })).toEqual([expect.stringContaining(reason)]);
  });

  it('lets a blank variable count as unset', () => {
    expect(loadSettings({ STRONGROOM_WORKERS: '', DATABASE_URL: ' ', MINIO_ROOT_USER: '' }, cwd)).toMatchObject({
      workers: 1,
      databaseUrl: undefined,
    });
  });

  it('requires user and password together', () => {
    expect(problemsOf({ MINIO_ROOT_USER: 'admin' })).toEqual([
      'MINIO_ROOT_USER is set without its companion; set STRONGROOM_ROOT_PASSWORD too, or remove both',
    ]);
  });

  describe('overlay of dynamic configuration', () => {
    const overlay = (env: NodeJS.ProcessEnv): Record<string, Record<string, string>> =>
      Object.fromEntries(
        [...loadSettings(env, cwd).configOverlays.environment].map(([document, fields]) => [
          document,
          Object.fromEntries([...fields].map(([field, { value, origin }]) => [field, `${value} < ${origin}`])),
        ]),
      );

    it('reads own names with and without target, the longest field first', () => {
      expect(
        overlay({
          STRONGROOM_KMS_VAULT_ENDPOINT: 'https://a',
          STRONGROOM_KMS_VAULT_ENDPOINT_EU: 'https://b',
          STRONGROOM_KMS_VAULT_AUTH_APPROLE_SECRET_FILE: '/f',
          STRONGROOM_KMS_VAULT_AUTH_APPROLE_SECRET_FILE_EU_WEST: '/g',
        }),
      ).toEqual({
        'kms_vault:default': {
          endpoint: 'https://a < STRONGROOM_KMS_VAULT_ENDPOINT',
          auth_approle_secret_file: '/f < STRONGROOM_KMS_VAULT_AUTH_APPROLE_SECRET_FILE',
        },
        'kms_vault:eu': { endpoint: 'https://b < STRONGROOM_KMS_VAULT_ENDPOINT_EU' },
        'kms_vault:eu_west': { auth_approle_secret_file: '/g < STRONGROOM_KMS_VAULT_AUTH_APPROLE_SECRET_FILE_EU_WEST' },
      });
    });

    it('reads RustFS’s names', () => {
      expect(
        overlay({
          RUSTFS_KMS_ENABLED: 'true',
          RUSTFS_KMS_ENABLE: 'on',
          RUSTFS_KMS_VAULT_ADDRESS: 'https://vault:8200',
          RUSTFS_KMS_DEFAULT_KEY_ID: 'key',
          RUSTFS_KMS_VAULT_TOKEN: 's.token',
          RUSTFS_KMS_VAULT_SKIP_TLS_VERIFY: 'false',
          RUSTFS_KMS_TIMEOUT_SECS: '7',
        }),
      ).toEqual({
        'kms_vault:default': {
          enabled: 'true < RUSTFS_KMS_ENABLED',
          endpoint: 'https://vault:8200 < RUSTFS_KMS_VAULT_ADDRESS',
          key_name: 'key < RUSTFS_KMS_DEFAULT_KEY_ID',
          token: 's.token < RUSTFS_KMS_VAULT_TOKEN',
          tls_skip_verify: 'false < RUSTFS_KMS_VAULT_SKIP_TLS_VERIFY',
          timeout: '7s < RUSTFS_KMS_TIMEOUT_SECS',
        },
      });
    });

    it('reads MinIO’s names and takes an AppRole id for AppRole', () => {
      expect(
        overlay({
          MINIO_KMS_VAULT_ENDPOINT: 'https://vault:8200',
          MINIO_KMS_VAULT_APPROLE_ID: 'role',
          MINIO_KMS_VAULT_APPROLE_SECRET: 'secret',
          MINIO_KMS_VAULT_CAPATH: '/ca',
          MINIO_KMS_SECRET_KEY: 'name:AAAA',
        }),
      ).toEqual({
        'kms_vault:default': {
          endpoint: 'https://vault:8200 < MINIO_KMS_VAULT_ENDPOINT',
          auth_approle_id: 'role < MINIO_KMS_VAULT_APPROLE_ID',
          auth_approle_secret: 'secret < MINIO_KMS_VAULT_APPROLE_SECRET',
          ca_file: '/ca < MINIO_KMS_VAULT_CAPATH',
          auth_type: 'approle < MINIO_KMS_VAULT_APPROLE_ID',
        },
        'kms_builtin:default': { minio_secret_key: 'name:AAAA < MINIO_KMS_SECRET_KEY' },
      });
    });

    it('reads MinIO’s secret key from a file', () => {
      const path = write('minio.key', 'name:BBBB\n');
      expect(overlay({ MINIO_KMS_SECRET_KEY_FILE: path })).toEqual({
        'kms_builtin:default': { minio_secret_key: 'name:BBBB < MINIO_KMS_SECRET_KEY_FILE' },
      });
      expect(problemsOf({ MINIO_KMS_SECRET_KEY_FILE: path, MINIO_KMS_SECRET_KEY: 'name:CCCC' })).toEqual([
        expect.stringMatching(/^MINIO_KMS_SECRET_KEY_FILE and MINIO_KMS_SECRET_KEY both set minio_secret_key/),
      ]);
      expect(problemsOf({ MINIO_KMS_SECRET_KEY_FILE: 'nowhere' })).toEqual([expect.stringContaining('ENOENT')]);
    });

    it('refuses two names that give a field different values, showing neither', () => {
      const problems = problemsOf({ RUSTFS_KMS_VAULT_TOKEN: 's.one', STRONGROOM_KMS_VAULT_TOKEN: 's.two' });
      expect(problems).toEqual([
        'RUSTFS_KMS_VAULT_TOKEN and STRONGROOM_KMS_VAULT_TOKEN both set token of kms_vault:default but differ (values not shown); keep one of them',
      ]);
    });

    it('refuses an own name with an unknown field, and warns of a foreign one', () => {
      expect(problemsOf({ STRONGROOM_KMS_VAULT_ENDPIONT: 'x' })).toEqual([
        'STRONGROOM_KMS_VAULT_ENDPIONT is not a setting; did you mean STRONGROOM_KMS_VAULT_ENDPOINT?',
      ]);
      expect(loadSettings({ RUSTFS_KMS_BACKEND: 'vault' }, cwd).warnings).toEqual([
        'RUSTFS_KMS_BACKEND has no effect in Strongroom',
      ]);
    });
  });
});
