/** The demo verifies every byte, leaves nothing behind, and gives an account of itself. */
import { describe, expect, it } from 'vitest';

import { Program, run } from './program.js';

interface Account {
  steps: { bytes: number; verified: boolean }[];
  states: { end: string; state: string }[];
  devices: { commands: Record<string, { count: number }>; sockets: { ring?: object }[] }[];
  leaks: string[];
  elapsedMs: number;
}

describe('demo', () => {
  it.each([
    [[]],
    [['--threads']],
    [['--no-splice']],
    [['--layout', 'v7', '--ring-order', '0']],
    [['--ring-order', '9', '--seed', '7']],
  ])('%j verifies three transfers within five seconds', async (args) => {
    const { exitCode, stdout, stderr } = await run('demo', '--json', ...args);
    expect(stderr).toBe('');
    expect(exitCode).toBe(0);
    const account = JSON.parse(stdout.toString()) as Account;
    expect(account.steps.map(({ bytes }) => bytes)).toEqual([8 << 20, 1 << 20, 1 << 20]);
    expect(account.steps.every(({ verified }) => verified)).toBe(true);
    expect(account.leaks).toEqual([]);
    expect(account.elapsedMs).toBeLessThan(5_000);
    expect(Object.keys(account.devices[0]!.commands)).toEqual(
      expect.arrayContaining(['socket', 'connect', 'bind', 'listen', 'accept']),
    );
    for (const end of ['frontend', 'backend']) {
      const passed = account.states.filter((change) => change.end === end);
      const states = passed.map(({ state }) => state);
      expect(states).toEqual(expect.arrayContaining(['Connected', 'Closing', 'Closed']));
    }
  });

  it('says in words what happened', async () => {
    const { stdout } = await run('demo');
    const text = stdout.toString();
    for (const word of [
      'SHA-256 equal',
      'Initialised > Connected',
      'mean ms',
      'wraps',
      'Nothing',
    ]) {
      expect(text).toContain(word);
    }
  });

  it('traces commands, answers and states on stderr', async () => {
    const { stderr, exitCode } = await run('demo', '--trace');
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(/domain 1 {2}frontend Connected/);
    expect(stderr).toMatch(/domain 1 {2}connect \d+ 127\.0\.0\.1:\d+/);
    expect(stderr).toMatch(/domain 1 {2}connect \d+ = 0 \(/);
    expect(stderr).toMatch(/domain 2 {2}backend Closed/);
  });

  it('ends with 128 plus the signal when it is interrupted', async () => {
    const program = new Program(['demo', '--trace']);
    await new Promise((resolve) => program.child.stderr.once('data', resolve));
    const { exitCode, stderr } = await program.end('SIGINT');
    expect([130, 0]).toContain(exitCode); // it may have been done already
    expect(stderr).not.toMatch(/^ +at /m);
  });
});
