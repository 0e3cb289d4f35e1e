/** The backend of a running `forward` or `expose` goes and comes, by `backend`. */
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';

import { Client, closedPort, server } from './hosts.js';
import { parseOptions } from '../../../host/cli/options.js';
import { World } from '../../../host/cli/world.js';
import { Program, run } from './program.js';

const LONG = process.env['PVCALLS_LONG'] !== undefined;

const echo = (): Promise<number> => server((socket) => socket.pipe(socket));

/** A program that says on a line where it listens. */
class Instance {
  readonly program: Program;
  private out = '';

  constructor(...args: string[]) {
    this.program = new Program(args);
    this.program.child.stdout.on('data', (text: Buffer) => (this.out += text.toString()));
  }

  /** The port of the n-th line. */
  async port(line = 1): Promise<number> {
    const { child, ended } = this.program;
    for (;;) {
      const ports = [...this.out.matchAll(/:(\d+) ->.*\n/g)].map(([, port]) => Number(port));
      if (ports.length >= line) return ports[line - 1]!;
      const event = await Promise.race([once(child.stdout, 'data'), ended]);
      if ('exitCode' in event) throw new Error(`it ended: ${event.stderr}`);
    }
  }

  /** Does something to its backend. */
  async backend(action: string): Promise<void> {
    const { stderr, exitCode } = await run('backend', action, String(this.program.child.pid));
    expect(stderr).toBe('');
    expect(exitCode).toBe(0);
  }

  /** Resolves when stderr has it. */
  async says(sentence: RegExp): Promise<void> {
    while (!sentence.test(this.program.stderr)) await once(this.program.child.stderr, 'data');
  }
}

async function echoes(port: number): Promise<Client> {
  const client = await Client.connect(port);
  client.socket.write('there and back');
  expect((await client.received(14)).toString()).toBe('there and back');
  return client;
}

const variants: [string, string[]][] = [
  ['', []],
  [' --threads', ['--threads', '--guests', '2']],
];

describe.each(variants)('forward%s whose backend', (_, options) => {
  it('is killed, and another one comes, goes on for new connections', async () => {
    const forward = new Instance('forward', ...options, '0', `127.0.0.1:${await echo()}`);
    const port = await forward.port();
    const before = await echoes(port);
    await forward.backend('kill');
    await forward.backend('start');
    expect(await before.over).toBe('ECONNRESET');
    await echoes(port);
    await forward.says(/the backend of guest \d has gone; new connections wait[^\n]*\n/);
    await forward.says(/guest \d has a backend again\n/);
    const { exitCode, stderr } = await forward.program.end('SIGTERM');
    expect(exitCode).toBe(0);
    expect(stderr).not.toMatch(/left behind|^ +at /m);
  });
});

describe.each(LONG ? variants : variants.slice(0, 1))('forward%s whose backend', (_, options) => {
  it('stops in order: a client that comes meanwhile waits for the next one', async () => {
    const forward = new Instance('forward', ...options, '0', `127.0.0.1:${await echo()}`);
    const port = await forward.port();
    const before = await echoes(port);
    await forward.backend('stop');
    expect(await before.over).toBe('ECONNRESET');
    const waiting = echoes(port);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await forward.backend('start');
    await waiting;
    expect((await forward.program.end('SIGTERM')).exitCode).toBe(0);
  });

  it('is taken away with its device, ends with 1 and says why', async () => {
    const forward = new Instance('forward', ...options, '0', `127.0.0.1:${await echo()}`);
    const before = await echoes(await forward.port());
    await forward.backend('detach');
    expect(await before.over).toBe('ECONNRESET');
    const { exitCode, stderr } = await forward.program.ended;
    expect(stderr).toMatch(/pvcalls: the device of guest \d was removed; start pvcalls again\n/);
    expect(exitCode).toBe(1);
  });
});

const single: [string, string[]][] = [
  ['', []],
  [' --threads', ['--threads']],
];

describe.each(LONG ? single : single.slice(1))('expose%s whose backend', (_, options) => {
  it.each([['kill'], ['stop']])('%ss listens again at the next one', async (action) => {
    const own = String(await closedPort());
    const expose = new Instance('expose', ...options, own, `127.0.0.1:${await echo()}`);
    const before = await echoes(await expose.port());
    await expose.backend(action);
    await expose.backend('start');
    expect(await before.over).toBe('end'); // nothing was under way
    expect(await expose.port(2)).toBe(Number(own));
    await echoes(Number(own));
    await expose.says(/the backend of guest 1 has gone/);
    const { exitCode, stderr } = await expose.program.end('SIGTERM');
    expect(exitCode).toBe(0);
    expect(stderr).not.toMatch(/left behind|^ +at /m);
  });

  it('is taken away with its device ends with 1', async () => {
    const expose = new Instance('expose', ...options, '0', `127.0.0.1:${await echo()}`);
    await expose.port();
    await expose.backend('detach');
    const { exitCode, stderr } = await expose.program.ended;
    expect(stderr).toMatch(/pvcalls: the device of guest 1 was removed; start pvcalls again\n/);
    expect(exitCode).toBe(1);
  });
});

describe('backend', () => {
  it('does not start another one while one stops', async () => {
    const world = await World.open(parseOptions([], []).options, 1);
    const stopping = world.control('stop');
    await expect(world.control('start')).rejects.toThrow('a backend runs already');
    await stopping;
    await world.control('start');
    expect(await world.close()).toEqual([]);
  });

  it('says so when there is nothing to do it to', async () => {
    const { exitCode, stderr } = await run('backend', 'kill');
    expect(stderr).toContain('no instance is running');
    expect(exitCode).toBe(1);
  });

  it('ends an instance whose backend is killed without waiting for it', async () => {
    const forward = new Instance('forward', '0', `127.0.0.1:${await echo()}`);
    await echoes(await forward.port());
    await forward.backend('kill');
    const again = await run('backend', 'kill');
    expect(again.stderr).toContain('no backend runs');
    expect(again.exitCode).toBe(1);
    const { exitCode, stderr } = await forward.program.end('SIGTERM');
    expect(stderr).not.toContain('left behind');
    expect(exitCode).toBe(0);
  });
});
