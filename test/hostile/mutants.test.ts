/**
 * Each mutant of the core must turn the tests of its line red. `PVCALLS_LONG=1` builds and runs
 * them all (`PVCALLS_MUTANT=name` one); otherwise only that every edit still fits.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { inModules } from '../../host/build/run.mjs';
import { applyEdit, buildMutant } from '../mutants.js';
import { MUTANTS, type Mutant } from './mutants.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const ONLY = process.env['PVCALLS_MUTANT'];
const LONG = process.env['PVCALLS_LONG'] !== undefined || ONLY !== undefined;
const LINES = 25;
/** A mutant that hangs its test is red as well, but by assertion is better: they are told apart. */
const HANG_MS = 300_000;

interface Verdict {
  /** Names of the tests that failed, and how: the first line of each failure. */
  readonly failures: string[];
  readonly passed: number;
  readonly hung: boolean;
}

/** What vitest's JSON reporter says, as far as it is read here. */
interface Report {
  readonly numPassedTests: number;
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly {
      readonly title: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/** Runs tests of this folder, in a process of their own, on the core in `wasm`. */
async function runOn(wasm: string, files: string[], more: string[]): Promise<Verdict> {
  const args = [inModules('vitest/vitest.mjs'), 'run', '--project=host', '--reporter=json'];
  const env = { ...process.env, PVCALLS_HOSTILE_CORE: wasm };
  delete (env as NodeJS.ProcessEnv)['PVCALLS_LONG'];
  delete (env as NodeJS.ProcessEnv)['PVCALLS_MUTANT'];
  const options = { cwd: ROOT, env, timeout: HANG_MS, maxBuffer: 1 << 26 };
  const output = await new Promise<string>((resolve) => {
    execFile(process.execPath, [...args, ...files, ...more], options, (_, stdout) =>
      resolve(stdout),
    );
  });
  const start = output.indexOf('{"numTotal');
  if (start < 0) return { failures: [], passed: 0, hung: true };
  const report = JSON.parse(output.slice(start)) as Report;
  const results = report.testResults.flatMap(({ assertionResults }) => assertionResults);
  const failed = results.filter(({ status }) => status === 'failed');
  const why = (messages: readonly string[]): string => messages[0]?.split('\n')[0] ?? 'no reason';
  return {
    failures: failed.map(({ title, failureMessages }) => `${title}: ${why(failureMessages)}`),
    passed: report.numPassedTests,
    hung: false,
  };
}

describe('the mutants', () => {
  it('are told apart by their names', () => {
    const names = MUTANTS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  it('are there for every line', () => {
    const lines = new Set(MUTANTS.map(({ line }) => line));
    expect(Array.from({ length: LINES }, (_, i) => i + 1).filter((n) => !lines.has(n))).toEqual([]);
  });

  it('are an edit each that fits exactly once, for tests that are there', () => {
    for (const { line, edits, test } of MUTANTS) {
      for (const edit of edits) {
        const text = readFileSync(ROOT + edit.file, 'utf8');
        expect(applyEdit(text, edit)).not.toBe(text);
      }
      const tests = readFileSync(new URL(test, import.meta.url), 'utf8');
      expect(tests, `${test} has no test of line ${line}`).toContain(`'line ${line}: `);
    }
  });
});

/** Builds and runs the mutants of a list, several at a time. Result: those that survive. */
async function hunt(mutants: Mutant[]): Promise<{ survivors: string[]; log: string[] }> {
  const survivors: string[] = [];
  const log: string[] = [];
  const worker = async (): Promise<void> => {
    for (let next = mutants.shift(); next !== undefined; next = mutants.shift()) {
      const { line, name, edits, test } = next;
      const startMs = performance.now();
      const wasm = await buildMutant(`line-${line}-${name}`, edits);
      const only = ['--bail=1', '--testNamePattern', `\\bline ${line}: `];
      const { failures, hung } = await runOn(wasm, [`test/hostile/${test}`], only);
      const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
      const how = hung ? 'hung' : (failures[0] ?? 'SURVIVED');
      log.push(`line ${line}, ${name} (${seconds} s): ${how}`);
      if (failures.length === 0) survivors.push(`line ${line}: ${name}${hung ? ' hung' : ''}`);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return { survivors, log: log.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })) };
}

const chosen = MUTANTS.filter(({ name }) => ONLY === undefined || name === ONLY);

if (LONG) describe('the core without a defence', describeHunt);

function describeHunt(): void {
  it('is green with all of them', async () => {
    const wasm = await buildMutant('line-0-none', []);
    const { failures, passed, hung } = await runOn(wasm, ['test/hostile'], []);
    expect({ failures, hung }).toEqual({ failures: [], hung: false });
    expect(passed).toBeGreaterThan(100);
  });

  it(`is seen, ${chosen.length} times`, { timeout: 1_800_000 }, async () => {
    const startMs = performance.now();
    const { survivors, log } = await hunt([...chosen]);
    const minutes = (performance.now() - startMs) / 60_000;
    console.log(`${log.join('\n')}\n${log.length} mutants in ${minutes.toFixed(1)} minutes`);
    expect(survivors).toEqual([]);
    expect(log.length).toBeGreaterThan(0);
  });
}
