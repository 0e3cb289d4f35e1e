/**
 * Every example, as a newcomer runs it: `node examples/NAME`, against build/. Each must say what is
 * listed here, end by itself with exit code 0, and complain about nothing.
 */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const LINES_MAX = 60;
const TIMEOUT_MS = 20_000;

/** What each example prints, line by line. */
const EXPECTED: Record<string, (string | RegExp)[]> = {
  '01-echo.mjs': [
    'echoed: hello from a guest',
    /^3 commands, \d+ notifications sent by the guest$/,
  ],
  '02-http-get.mjs': ['200 text/plain', '21000 bytes: you asked for /hello ...'],
  '03-guest-server.mjs': ['the guest says: IS ANYBODY THERE?'],
  '04-two-guests.mjs': [
    'domain 1 read: from guest to guest',
    'domain 1 read 0 bytes: the end of the stream',
    'domain 1: 0 bytes out, 19 bytes in',
    'domain 2: 19 bytes out, 0 bytes in',
  ],
  '05-policy.mjs': [
    'no policy: EACCES',
    'listed: connected, 7 bytes',
    'another port: EACCES',
    'own policy: ECONNREFUSED',
    'it saw: socket, connect, release',
  ],
  '06-worker.mjs': ['echoed: hello from thread 1', /^wake-ups between the threads: [1-9]\d*$/],
  '07-windows.mjs': ['1048576 bytes there and back, 0 of them wrong', /^read in \d+ windows$/],
  '08-port.mjs': [
    /^init: \d+ frames for rings$/,
    'backend: SOCKET',
    'backend: CONNECT',
    'read: hi there',
    'backend: RELEASE',
    'closed, 0 grants left',
  ],
  '09-component.mjs': ['connect: 0', 'echoed: hello from a component'],
};

/** Programs for Node; the others are guests, which test/xen/ts-guest.test.ts boots. */
const names = readdirSync(`${ROOT}examples`).filter((name) => name.endsWith('.mjs'));

/** Runs node in the repository; a rejection carries its output. */
function run(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  const options = { cwd: ROOT, timeout: TIMEOUT_MS };
  return promisify(execFile)(process.execPath, args, options);
}

/** The program that README.md shows. */
function readmeProgram(): string {
  return /^```js\n(.*?)^```$/ms.exec(readFileSync(`${ROOT}README.md`, 'utf8'))?.[1] ?? '';
}

describe('the examples', () => {
  it('are all known to this test', () => {
    expect(names).toEqual(Object.keys(EXPECTED));
  });

  it.each(names)('%s fits in 60 lines', (name) => {
    const lines = readFileSync(`${ROOT}examples/${name}`, 'utf8').trimEnd().split('\n');
    expect(lines.length).toBeLessThanOrEqual(LINES_MAX);
  });

  it.each(names)('%s runs and says what it did', async (name) => {
    const { stdout, stderr } = await run(`examples/${name}`);
    const expected = EXPECTED[name] ?? [];
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toEqual(
      expected.map((line) => (typeof line === 'string' ? line : expect.stringMatching(line))),
    );
    expect(stderr).toBe('');
  });
});

describe('the program in README.md', () => {
  it('has 12 lines and runs', async () => {
    const program = readmeProgram();
    expect(program.trimEnd().split('\n').length).toBe(12);
    const { stdout, stderr } = await run('--input-type=module', '--eval', program);
    expect(stdout).toBe('echoed: hello from a guest\n');
    expect(stderr).toBe('');
  });
});
