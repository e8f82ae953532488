const swc = {
  jsc: {
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true },
    target: 'es2022',
    keepClassNames: true,
  },
  module: { type: 'commonjs' },
  sourceMaps: 'inline',
};

/** Nest 12 ships ES modules only, so node_modules are transformed to CommonJS as well (see docs/decisions). */
const transform = {
  '/node_modules/.+\\.(j|mj|cj)s$': ['<rootDir>/scripts/jest-package-transformer.cjs', { ...swc, sourceMaps: false }],
  '^.+\\.(t|j|mj|cj)s$': ['@swc/jest', swc],
};

module.exports = {
  testEnvironment: 'node',
  rootDir: '.',
  roots: ['<rootDir>/src', '<rootDir>/test'],
  testMatch: ['**/*.spec.ts'],
  transform,
  transformIgnorePatterns: ['/node_modules/(?!.*)'],
  testSequencer: '<rootDir>/scripts/jest-longest-first.cjs',
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/global-teardown.ts',
  cacheDirectory: '<rootDir>/node_modules/.cache/jest',
  testTimeout: 60000,
  maxWorkers: 2,
  reporters: ['default', '<rootDir>/scripts/jest-skipped-reporter.cjs'],
};
