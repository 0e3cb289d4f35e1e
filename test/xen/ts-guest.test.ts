/**
 * Guests that people write, in TypeScript and C, made by `pvcalls image`, with Linux's backend: the
 * examples, asked from dom0, and a scenario with every call. What is asserted came back in dom0.
 */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';

import { ROOT } from '../../host/build/run.mjs';
import { runDom0 } from '../../host/metal/dom0/run.mjs';
import { folder, run } from '../host/cli/program.js';
import { fileOf, linesOf, reasonOf, type World } from './dom0/world.js';

const TIMEOUT_MS = 240_000;
const IMAGE_MAX = 128 << 10;
const CRASH = 3;
const LINES_MAX = 60;

const SOURCES = [
  'examples/10-guest-http.ts',
  'examples/10-guest-http.c',
  'examples/11-guest-echo.ts',
  'examples/11-guest-echo.c',
  'test/xen/apps/guest-scenario.ts',
];
/** The program that docs/guests.md shows. */
const SHOUT = join(folder, 'shout.ts');

const imageOf = (source: string) => join(folder, `${basename(source)}.img`);

function guest(name: string, source: string, settings = '') {
  const image = readFileSync(imageOf(source));
  return { name, image, memoryMiB: 32, config: [`extra = "${settings}"`] };
}

const JOB = `
nc -ll -p 7 -e cat &
start_guest http
start_guest chttp
await_line http 60 serving || end "no http"
await_line chttp 60 serving || end "no chttp"
wget -qO /results/first 127.0.0.1:8080/hi
printf 'POST / HTTP/1.1\\r\\n\\r\\n' | nc 127.0.0.1 8080 >/results/refused
wget -qO /results/second 127.0.0.1:8080/there
wget -qO /results/c 127.0.0.1:8081/from-c
await_guest http 30 || end "http goes on"
xl destroy chttp
for name in echo cecho fault bounds; do
    start_guest $name
    await_guest $name 30 || end "$name goes on"
done
start_guest shout
await_line shout 30 listening || end "no shout"
(echo hello; sleep 1) | nc 127.0.0.1 7000 >/results/shouted
xl destroy shout
start_guest scenario
await_line scenario 90 listening || end "no scenario"
(sleep 1; echo first) | nc 127.0.0.1 6001 >/results/slow &
echo second | nc 127.0.0.1 6001 >/results/quick
await_guest scenario 60 || end "scenario goes on"
`;

let world: World;

beforeAll(async () => {
  const docs = readFileSync(`${ROOT}docs/guests.md`, 'utf8');
  writeFileSync(SHOUT, /^```ts\n(.*?)^```$/ms.exec(docs)?.[1] ?? '');
  for (const source of [...SOURCES.map((path) => ROOT + path), SHOUT]) {
    const made = await run('image', source, '-o', imageOf(source));
    // And no warning of a compiler.
    expect(made.stderr).toMatch(/^\S+\.img: \d+ bytes, in \d+\.\d s\n$/);
    expect(made.exitCode).toBe(0);
  }
  world = await runDom0({
    guests: [
      guest('http', 'examples/10-guest-http.ts', 'port=8080 requests=2'),
      guest('chttp', 'examples/10-guest-http.c', 'port=8081'),
      guest('echo', 'examples/11-guest-echo.ts'),
      guest('cecho', 'examples/11-guest-echo.c'),
      guest('fault', 'test/xen/apps/guest-scenario.ts', 'fault=index'),
      guest('bounds', 'test/xen/apps/guest-scenario.ts', 'fault=bounds'),
      guest('shout', SHOUT),
      guest('scenario', 'test/xen/apps/guest-scenario.ts'),
    ],
    job: JOB,
    timeoutMs: TIMEOUT_MS,
  });
  console.log(`${world.guestConsole.trimEnd()}\ndom0: ${world.seconds.toFixed(1)} s in all`);
  if (!world.done) console.log(world.dom0Console.slice(-4000));
}, TIMEOUT_MS);

describe('the examples for guests', () => {
  it.each(SOURCES.slice(0, 4))('%s is short, and so is its image', (source) => {
    const lines = readFileSync(ROOT + source, 'utf8')
      .trimEnd()
      .split('\n');
    expect(lines.length).toBeLessThanOrEqual(LINES_MAX);
    expect(statSync(imageOf(source)).size).toBeLessThan(IMAGE_MAX);
  });

  it('answer HTTP requests of dom0', () => {
    expect(fileOf(world, 'first')).toBe('request 1: you asked for /hi\n');
    expect(fileOf(world, 'refused')).toMatch(/^HTTP\/1\.1 400 [^]*\r\n\r\nGET only\n$/);
    expect(fileOf(world, 'second')).toBe('request 2: you asked for /there\n');
    expect(linesOf(world, 'http')).toEqual(['serving port 8080', 'served 2', '']);
    expect(reasonOf(world, 'http')).toBe(0);
    expect(fileOf(world, 'c')).toBe('you asked for /from-c\n');
  });

  it.each([
    ['echo', 'TypeScript'],
    ['cecho', 'C'],
  ])('%s: bytes come back', (name, language) => {
    const [first, second] = linesOf(world, name);
    expect(first).toBe(`echoed: hello from a guest in ${language}`);
    expect(second).toMatch(/^there and back in \d+ ms; close: no error$/);
    expect(reasonOf(world, name)).toBe(0);
  });
});

it('the program of docs/guests.md answers', () => {
  expect(fileOf(world, 'shouted')).toBe('HELLO\n');
  expect(linesOf(world, 'shout')).toContain('listening on port 7000');
});

describe('a guest in TypeScript', () => {
  it('makes every call', () => {
    expect(world.done).toBe(true);
    const lines = linesOf(world, 'scenario');
    expect(lines.slice(0, 2)).toEqual(['scenario: refused', 'scenario: echo of 100001 bytes']);
    expect(lines[2]).toMatch(/^scenario: 100 MiB of garbage in ([1-9]|1[0-4]) MiB at most$/);
    const listening = Buffer.from('scenario: listening ✓ 😀').toString('latin1');
    expect(lines.slice(3)).toEqual([listening, 'scenario: served', '']);
    expect(reasonOf(world, 'scenario')).toBe(0);
    expect([fileOf(world, 'slow'), fileOf(world, 'quick')]).toEqual(['FIRST\n', 'SECOND\n']);
  });

  it('that goes wrong ends with a line that says where', () => {
    expect(linesOf(world, 'fault')).toEqual([
      'Index out of range',
      '~lib/array.ts',
      expect.stringMatching(/^program: aborted at line \d+, column \d+$/),
      '',
    ]);
    expect(reasonOf(world, 'fault')).toBe(CRASH);
  });

  it('reaches nothing outside of its memory through a call', () => {
    const lines = linesOf(world, 'bounds');
    expect(lines[0]).toMatch(/^panic: wasm: access out of bounds, in w2c_guest_calls0x2Esend$/);
    expect(reasonOf(world, 'bounds')).toBe(CRASH);
  });
});

describe('pvcalls xen --dom0 --job', () => {
  it(
    'asks the server in a guest, and shows the answer',
    async () => {
      const job = 'await_line guest 60 serving && wget -qO- 127.0.0.1:8080/shown; false';
      const image = imageOf('examples/10-guest-http.ts');
      const { exitCode, stdout, stderr } = await run('xen', '--dom0', '--job', job, image);
      expect(stdout.toString()).toBe('serving port 8080\n');
      expect(stderr).toContain('\nrequest 1: you asked for /shown\n');
      expect(exitCode).toBe(1);
    },
    TIMEOUT_MS,
  );
});
