import tseslint from 'typescript-eslint';

/** Rules for what a type checker and a formatter do not see. */
const common = {
  eqeqeq: 'error',
  'no-console': 'off',
  'no-constant-condition': ['error', { checkLoops: false }],
  'no-var': 'error',
  'prefer-const': 'error',
};

export default tseslint.config(
  { ignores: ['build/**', 'node_modules/**', 'docs/**'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommended],
    rules: {
      ...common,
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
    },
  },
  {
    // A promise that nobody waits for loses its error: worth the types it needs.
    files: [
      'host/**/*.ts',
      'test/host/**/*.ts',
      'test/hostile/**/*.ts',
      'test/sim/**/*.ts',
      'test/peers/**/*.ts',
    ],
    ignores: ['host/metal/guest-ts/**'],
    languageOptions: { parserOptions: { project: './tsconfig.json' } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
    },
  },
  {
    files: ['**/*.js', '**/*.mjs'],
    rules: { ...common, 'no-unused-vars': 'error' },
  },
  {
    // AssemblyScript: `==` compares numbers, and `===` is the same or worse; types are not tsc's.
    files: [
      'assembly/**/*.ts',
      'test/assembly/**/*.ts',
      'host/metal/guest-ts/**',
      'examples/*.ts',
      'test/xen/apps/*.ts',
    ],
    ignores: ['assembly/wire/**'],
    rules: {
      eqeqeq: 'off',
      '@typescript-eslint/no-unused-vars': 'off',
      '@typescript-eslint/no-unused-expressions': 'off',
      '@typescript-eslint/no-namespace': 'off',
    },
  },
);
