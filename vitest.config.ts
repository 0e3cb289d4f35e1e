import { defineConfig } from 'vitest/config';

/** A test that takes longer hangs, unless it says otherwise. `npm run test:long` takes its time. */
const timeoutMs = process.env['PVCALLS_LONG'] ? 1_800_000 : 30_000;

/** One project per npm script: `test`, `test:native`, `test:peers`. */
function project(name: string, include: string[]) {
  return {
    extends: true as const,
    test: {
      name,
      include,
      globalSetup: 'test/global-setup.ts',
      testTimeout: timeoutMs,
      hookTimeout: timeoutMs,
    },
  };
}

export default defineConfig({
  resolve: { alias: { pvcalls: new URL('host/index.ts', import.meta.url).pathname } },
  test: {
    passWithNoTests: false,
    projects: [
      project('host', ['test/{host,sim,model}/**/*.test.ts']),
      project('native', ['test/native/**/*.test.ts']),
      project('peers', ['test/peers/**/*.test.ts']),
    ],
  },
});
