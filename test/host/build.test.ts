/** The scripts of package.json say what is missing, in one sentence and with exit code 2. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';

import { describe, expect, it } from 'vitest';

const MAIN = fileURLToPath(new URL('../../host/build/main.mjs', import.meta.url));
const SUM = fileURLToPath(new URL('../../.ci/sum.mjs', import.meta.url));

function node(args: string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    ...options,
    encoding: 'utf8',
    timeout: 20_000,
  });
  return { status, stdout, stderr };
}

describe('the npm scripts', () => {
  it('refuse a Node that is too old', () => {
    const old = 'Object.defineProperty(process, "versions", { value: { node: "20.18.3" } })';
    const result = node(['--import', `data:text/javascript,${old}`, MAIN, 'start']);
    expect(result).toEqual({
      status: 2,
      stdout: '',
      stderr: 'pvcalls needs Node 20.19 or newer; this is 20.18.3.\n',
    });
  });

  it.each([
    ['test:native', 'aarch64-linux-gnu-gcc', 'gcc-aarch64-linux-gnu'],
    ['test:peers', 'redis-benchmark', 'redis-tools'],
  ])('name the packages that %s needs', (task, tool, debian) => {
    const { status, stderr } = node([MAIN, task], { env: { ...process.env, PATH: '' } });
    expect(status).toBe(2);
    expect(stderr).toContain(tool);
    expect(stderr).toMatch(new RegExp(`apt-get install .*${debian}`));
  });

  it('refuse a task that there is not', () => {
    expect(node([MAIN, 'fly']).status).toBe(2);
  });
});

describe('the sum of .ci/run', () => {
  /** Reports as a run leaves them, in a folder of their own. */
  function sum(stages: string[], reports: Record<string, unknown>) {
    const cwd = mkdtempSync(`${tmpdir()}/pvcalls-sum-`);
    try {
      mkdirSync(`${cwd}/build/reports`, { recursive: true });
      writeFileSync(`${cwd}/build/reports/stages`, `${stages.join('\n')}\n`);
      for (const [name, report] of Object.entries(reports)) {
        writeFileSync(`${cwd}/build/reports/${name}.json`, JSON.stringify(report));
      }
      const { status, stdout } = node([SUM, 'build/reports/stages'], { cwd });
      return { status, stdout };
    } finally {
      rmSync(cwd, { recursive: true });
    }
  }

  const vitest = { numPassedTests: 7, numFailedTests: 0, testResults: [] };
  const unloaded = { status: 'failed', assertionResults: [] };

  it('adds the tests of every report, and a stage without one as one', () => {
    const reports = { specs: { passed: 5, failed: 0 }, host: vitest };
    expect(sum(['0 - check', '0 specs,host test'], reports)).toEqual({
      status: 0,
      stdout: '13 passed, 0 failed\n',
    });
  });

  it.each([
    ['a stage that failed', ['1 - check'], {}, '0 passed, 1 failed'],
    ['a report that was never written', ['124 host test'], {}, '0 passed, 1 failed'],
    ['an error outside all tests', ['1 host test'], { host: vitest }, '7 passed, 1 failed'],
    [
      'a file that could not be loaded',
      ['1 host test'],
      { host: { ...vitest, testResults: [unloaded, unloaded] } },
      '7 passed, 2 failed',
    ],
  ])('counts %s as failed', (_what, stages, reports, line) => {
    expect(sum(stages, reports)).toEqual({ status: 1, stdout: `${line}\n` });
  });
});
