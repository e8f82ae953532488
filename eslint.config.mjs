import tseslint from 'typescript-eslint';

const configFiles = ['*.mjs', '*.cjs'];
const cipherOwners = [
  'src/crypto/**',
  'src/common/sealed-box*',
  'src/kms/providers/builtin*',
  'src/admin/minio/madmin-payload.ts',
];
const toolFiles = ['bench/**', 'scripts/**', 'test/**', '**/*.spec.ts'];

/** Restrictions that hold everywhere; flat config replaces a rule's options as a whole, so they are combined below. */
const noEnvironment = {
  selector: "MemberExpression[object.name='process'][property.name='env']",
  message: 'The environment is read in src/settings only.',
};
const noForwardRef = {
  selector: "CallExpression[callee.name='forwardRef']",
  message: 'A forwardRef hides an import cycle; move the shared part down instead.',
};
const noDefaultExport = {
  selector: 'ExportDefaultDeclaration',
  message: 'Export by name, so that one thing has one name everywhere.',
};
const noCipher = {
  selector:
    'CallExpression[callee.name=/^create(Cipher|Decipher)iv$/], MemberExpression[property.name=/^create(Cipher|Decipher)iv$/]',
  message: 'Ciphers are made in src/crypto, common/sealed-box, the built-in KMS provider and the payloads of mc only.',
};
const noBuiltSql = {
  selector:
    'CallExpression[callee.property.name=/^(query|execute)$/] > .arguments:first-child TemplateLiteral[expressions.length>0], CallExpression[callee.property.name=/^(query|execute)$/] > TemplateLiteral.arguments:first-child[expressions.length>0]',
  message: 'SQL text is made once, as a named statement; pass values as parameters.',
};
const noLooseCompare = {
  selector:
    "BinaryExpression[operator=/^[!=]==?$/][left.property.name=/^(signature|hmac)$/i]:not([right.type='Literal']):not([right.name='undefined'])",
  message: 'Compare signatures with timingSafeEqual.',
};
const noLongParameterList = {
  // Constructors are filled by the container and may be longer.
  selector:
    ":matches(FunctionDeclaration, ArrowFunctionExpression, MethodDefinition[kind!='constructor'] > FunctionExpression)[params.length>7]",
  message: 'Pass an object instead of so many parameters.',
};

export default tseslint.config(
  { ignores: ['dist/**', 'data/**', 'coverage/**', 'bench/results/**', 'node_modules/**'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: { project: './tsconfig.check.json', tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/no-floating-promises': ['error', { ignoreVoid: true }],
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': [
        'error',
        { fixStyle: 'separate-type-imports', disallowTypeAnnotations: false },
      ],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrorsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // Implementations of asynchronous ports need not await; a synchronous throw would change their contract.
      '@typescript-eslint/require-await': 'off',
      'no-console': 'error',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      curly: ['error', 'multi-line'],
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 80, skipBlankLines: true, skipComments: true }],
      complexity: ['error', 20],
      'no-control-regex': 'error',
      'prefer-const': 'error',
      'no-restricted-syntax': [
        'error',
        noEnvironment,
        noForwardRef,
        noDefaultExport,
        noCipher,
        noBuiltSql,
        noLooseCompare,
        noLongParameterList,
      ],
    },
  },
  {
    files: ['src/settings/**/*.ts'],
    rules: {
      'no-restricted-syntax': ['error', noForwardRef, noDefaultExport, noCipher, noBuiltSql],
    },
  },
  {
    files: cipherOwners,
    rules: {
      'no-restricted-syntax': ['error', noEnvironment, noForwardRef, noDefaultExport, noBuiltSql],
    },
  },
  {
    // typeorm's command line finds its data source through the default export.
    files: ['src/database/data-source.ts'],
    rules: { 'no-restricted-syntax': ['error', noEnvironment, noForwardRef, noCipher] },
  },
  {
    // LISTEN and CREATE take identifiers, which cannot be parameters.
    files: ['src/database/channel-listener.ts', 'src/process/embedded-postgres.ts'],
    rules: { 'no-restricted-syntax': ['error', noEnvironment, noForwardRef, noDefaultExport, noCipher] },
  },
  {
    files: ['migrations/**/*.ts'],
    rules: { 'max-lines-per-function': 'off' },
  },
  {
    files: toolFiles,
    rules: {
      'max-lines': ['error', { max: 600, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': 'off',
      complexity: ['error', 30],
      'no-restricted-syntax': ['error', noForwardRef],
      // Test doubles and parsed JSON answers are loosely typed by nature.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    files: [...configFiles, 'bench/**/*.mjs', 'scripts/**/*.mjs', 'scripts/**/*.cjs'],
    extends: [tseslint.configs.base],
    rules: {
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'prefer-const': 'error',
      'no-var': 'error',
      'no-unused-vars': ['error', { argsIgnorePattern: '^_', caughtErrors: 'none' }],
    },
  },
);
