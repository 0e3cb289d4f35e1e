/** curl and wrk through `forward` and `expose`: large bodies by hash, many connections by count. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';

import { activeSockets, Program, running } from '../host/cli/program.js';
import { httpServer, LONG, MIB, shell } from './tools.js';

const SIZE_MIB = LONG ? 1024 : 256;
const LOAD_SECONDS = LONG ? 30 : 3;
const TIMEOUT_MS = 120_000;

function expectedHash(): string {
  const block = Buffer.alloc(MIB, 'PV Calls carries bytes. ');
  const hash = createHash('sha256');
  for (let i = 0; i < SIZE_MIB; i++) hash.update(block);
  return hash.digest('hex');
}

describe.each([
  ['forward', []],
  ['forward', ['--threads', '--guests', '2']],
  ['expose', []],
  ['expose', ['--threads']],
])('%s %j', (verb, options) => {
  const start = async () => {
    const { server, port } = await httpServer();
    const front = await running(verb, ...options, '0', `127.0.0.1:${port}`);
    return { server, url: `http://127.0.0.1:${front.port}`, instance: front.program };
  };

  it(
    `carries curl fetching and sending ${SIZE_MIB} MiB with equal hashes`,
    { timeout: TIMEOUT_MS },
    async () => {
      const { url } = await start();
      const expected = expectedHash();
      const fetched = await shell(`curl -sS --max-time 60 ${url}/${SIZE_MIB} | sha256sum`);
      expect(fetched.slice(0, 64)).toBe(expected);
      const source = `curl -sS --max-time 60 ${url}/${SIZE_MIB}`;
      const sent = await shell(`${source} | curl -sS --max-time 60 -T - ${url}/`);
      expect(sent).toBe(expected);
    },
  );

  it(
    `carries 200 connections of wrk for ${LOAD_SECONDS} s without an error`,
    { timeout: TIMEOUT_MS },
    async () => {
      const { url, instance } = await start();
      const report = await shell(`wrk -t 2 -c 200 -d ${LOAD_SECONDS}s --timeout 10s ${url}/0`);
      expect(report).not.toMatch(/Socket errors|Non-2xx/);
      expect(Number(/(\d+) requests in/.exec(report)?.[1])).toBeGreaterThan(1000 * LOAD_SECONDS);
      const { exitCode, stderr } = await instance.end('SIGTERM');
      expect(stderr).toBe('');
      expect(exitCode).toBe(0);
    },
  );

  it('ends curl when the target is killed in the middle, and no socket stays', async () => {
    const { server, url, instance } = await start();
    const curl = new Program(
      ['-sS', '--limit-rate', '20M', '-o', '/dev/null', `${url}/256`],
      ['curl'],
    );
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await activeSockets(instance, 1)).toBe(1);
    await server.end('SIGKILL');
    const { exitCode } = await curl.ended;
    expect([18, 56]).toContain(exitCode); // a partial file, or a reset
    expect(await activeSockets(instance, 0)).toBe(0);
  });
});

describe('get', () => {
  it('and curl write the same bytes', async () => {
    const { port } = await httpServer();
    const cli = new URL('../../build/host/cli.js', import.meta.url).pathname;
    const url = `http://127.0.0.1:${port}/64`;
    const [ours, theirs] = await Promise.all([
      shell(`${process.execPath} ${cli} get -q ${url} | sha256sum`),
      shell(`curl -sS ${url} | sha256sum`),
    ]);
    expect(ours).toBe(theirs);
  });
});
