/** Wrong arguments end with 2, saying what was wrong and what is accepted; help ends with 0. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

import { run } from './program.js';

describe('wrong arguments', () => {
  it.each([
    [[], 'demo, get, forward, expose, ls'],
    [['fetch'], '"fetch" is no verb'],
    [['demo', 'now'], 'no arguments'],
    [['forward', '8080'], '[HOST:]PORT HOST:PORT'],
    [['forward', '8080', '99'], 'HOST:PORT'],
    [['forward', '70000', 'a:1'], 'from 0 to 65535'],
    [['forward', '8080', 'a:0'], 'from 1 to 65535'],
    [['forward', '8080', '[::1]:80'], 'IPv6'],
    [['forward', '::1:8080', 'a:1'], 'IPv6'],
    [['forward', '--bogus', '1', 'a:1'], '--ring-order'],
    [['forward', '--guests', '0', '1', 'a:1'], 'from 1 to 16'],
    [['forward', '--ring-order', '0', '1', 'a:1'], 'from 1 to 9'],
    [['expose', '--layout', 'v2', '1', 'a:1'], 'v1 or v7'],
    [['expose', '--seed'], '--seed'],
    [['get'], 'http://HOST'],
    [['get', 'https://example.com/'], 'TLS'],
    [['get', 'http://[::1]/'], 'IPv6'],
    [['get', 'ftp://example.com/'], 'no http URL'],
    [['ls', 'all'], 'integer'],
  ])('%j is refused', async (args, sentence) => {
    const { exitCode, stdout, stderr } = await run(...args);
    expect(stderr).toContain(sentence);
    expect(stderr).not.toMatch(/^ +at /m);
    expect(exitCode).toBe(2);
    expect(stdout.length).toBe(0);
  });
});

describe('help', () => {
  it('lists the verbs', async () => {
    const { exitCode, stdout } = await run('--help');
    expect(exitCode).toBe(0);
    for (const verb of ['demo', 'get', 'forward', 'expose', 'ls']) {
      expect(stdout.toString()).toContain(verb);
    }
  });

  it.each(['demo', 'get', 'forward', 'expose', 'ls'])('of %s has examples', async (verb) => {
    const { exitCode, stdout } = await run(verb, '--help');
    expect(exitCode).toBe(0);
    expect(stdout.toString()).toMatch(new RegExp(`Examples:\n {2}pvcalls ${verb}`));
  });

  it('knows the version', async () => {
    const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
    const { version } = JSON.parse(text) as { version: string };
    expect((await run('--version')).stdout.toString()).toBe(`${version}\n`);
  });
});
