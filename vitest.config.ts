import { defineConfig } from 'vitest/config';

/** A test that takes longer hangs, unless it says otherwise. `npm run test:long` takes its time. */
const timeoutMs = process.env['PVCALLS_LONG'] ? 1_800_000 : 30_000;

/** One project per npm script: `test`, `test:native`, `test:peers`, `test:xen`. */
function project(name: string, include: string[], more: { fileParallelism?: boolean } = {}) {
  return {
    extends: true as const,
    test: {
      name,
      include,
      globalSetup: 'test/global-setup.ts',
      testTimeout: timeoutMs,
      hookTimeout: timeoutMs,
      ...more,
    },
  };
}

export default defineConfig({
  resolve: { alias: { pvcalls: new URL('host/index.ts', import.meta.url).pathname } },
  test: {
    passWithNoTests: false,
    projects: [
      project('host', ['test/{host,sim,model,hostile,fuzz,load}/**/*.test.ts']),
      project('native', ['test/native/**/*.test.ts']),
      project('peers', ['test/peers/**/*.test.ts']),
      // An emulated machine takes a processor of its own: one after the other.
      project('xen', ['test/xen/**/*.test.ts'], { fileParallelism: false }),
    ],
  },
});
