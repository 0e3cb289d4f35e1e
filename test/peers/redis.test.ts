/** Debian's Redis tools through `forward` and `expose`: every reply is the one Redis gave. */
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';

import { closedPort } from '../host/cli/hosts.js';
import { running } from '../host/cli/program.js';
import { LONG, redisServer, tool } from './tools.js';

const REQUESTS = LONG ? 200_000 : 10_000;
const TIMEOUT_MS = 300_000;

describe.each([
  ['forward', []],
  ['forward', ['--threads']],
  ['expose', []],
])('%s %j', (verb, options) => {
  const start = async (): Promise<(...args: string[]) => Promise<string>> => {
    const port = await closedPort();
    await redisServer(port);
    const front = await running(verb, ...options, '0', `127.0.0.1:${port}`);
    return async (command, ...args) => {
      const { stdout, stderr } = await tool(command!, '-p', String(front.port), ...args);
      expect(stderr).toBe('');
      return stdout.toString();
    };
  };

  it('gives redis-cli exact replies', async () => {
    const redis = await start();
    const value = randomBytes(50_000).toString('hex');
    expect(await redis('redis-cli', 'set', 'key', value)).toBe('OK\n');
    expect(await redis('redis-cli', 'get', 'key')).toBe(`${value}\n`);
    expect(await redis('redis-cli', 'rpush', 'list', 'a', 'b', 'c')).toBe('3\n');
    expect(await redis('redis-cli', 'lrange', 'list', '0', '-1')).toBe('a\nb\nc\n');
    expect(await redis('redis-cli', '-r', '500', 'incr', 'counter')).toBe(
      Array.from({ length: 500 }, (_, i) => `${i + 1}\n`).join(''),
    );
  });

  it('carries redis-benchmark, and not one request is lost', { timeout: TIMEOUT_MS }, async () => {
    const redis = await start();
    const tests = ['ping_mbulk', 'set', 'get', 'incr', 'lpush', 'lrange_100', 'mset'];
    const report = await redis(
      'redis-benchmark',
      '-q',
      '-n',
      String(REQUESTS),
      '-t',
      tests.join(','),
    );
    const lines = report.split(/[\r\n]+/).filter((line) => /requests per second/.test(line));
    expect(lines.length).toBeGreaterThanOrEqual(tests.length);
    expect(report).not.toMatch(/error/i);
    expect(await redis('redis-cli', 'get', 'counter:__rand_int__')).toBe(`${REQUESTS}\n`);
    const pipelined = await redis('redis-benchmark', '-q', '-P', '16', '-n', '20000', '-t', 'incr');
    expect(pipelined).toMatch(/requests per second/);
    expect(await redis('redis-cli', 'get', 'counter:__rand_int__')).toBe(`${REQUESTS + 20000}\n`);
  });
});
