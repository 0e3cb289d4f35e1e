/** `expose`: the mirror of `forward`, with the guest at the listening end. */
import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';

import { Client, closedPort, server } from './hosts.js';
import { activeSockets, list, Program, run, running } from './program.js';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

function expose(target: number, ...options: string[]) {
  return running('expose', ...options, '0', `127.0.0.1:${target}`);
}

const echo = (): Promise<number> => server((socket) => socket.pipe(socket));

describe.each([[[]], [['--threads']], [['--layout', 'v7', '--ring-order', '0']]])(
  'expose %j',
  (options) => {
    it('carries many connections at once, both ways, byte for byte', async () => {
      const { program, port } = await expose(await echo(), ...options);
      const transfers = Array.from({ length: 12 }, async () => {
        const payload = randomBytes(700_000);
        const client = await Client.connect(port);
        client.socket.write(payload);
        expect(sha256(await client.received(payload.length))).toBe(sha256(payload));
        client.socket.end();
        expect(await client.over).toBe('end');
      });
      await Promise.all(transfers);
      expect(await activeSockets(program, 0)).toBe(0);
      const { exitCode, stderr } = await program.end('SIGTERM');
      expect(stderr).toBe('');
      expect(exitCode).toBe(0);
    });
  },
);

describe('expose', () => {
  it('keeps a connection for the answer after the client has ended', async () => {
    const program = await server((socket) => {
      let asked = '';
      socket.on('data', (chunk) => (asked += chunk.toString()));
      socket.on('end', () => setTimeout(() => socket.end(`answer to ${asked}`), 500));
    });
    const { port } = await expose(program);
    const client = await Client.connect(port);
    client.socket.end('question');
    expect(await client.over).toBe('end');
    expect(client.bytes.toString()).toBe('answer to question');
  });

  it('ends the connection when the program does, after all it sent', async () => {
    const all = randomBytes(3_000_000);
    const { port, program } = await expose(await server((socket) => socket.end(all)));
    const client = await Client.connect(port);
    expect(await client.over).toBe('end');
    expect(sha256(client.bytes)).toBe(sha256(all));
    expect(await activeSockets(program, 0)).toBe(0);
  });

  it('passes resets on, both ways', async () => {
    const heard: string[] = [];
    const program = await server((socket) => {
      socket.on('error', (error: NodeJS.ErrnoException) => heard.push(error.code ?? ''));
      socket.on('data', (chunk) => {
        if (chunk.toString() === 'reset me') socket.resetAndDestroy();
      });
    });
    const { port, program: instance } = await expose(program);
    const reset = await Client.connect(port);
    reset.socket.write('reset me');
    expect(await reset.over).toBe('ECONNRESET');
    const resetting = await Client.connect(port);
    resetting.socket.write('x');
    await activeSockets(instance, 1);
    resetting.socket.resetAndDestroy();
    expect(await activeSockets(instance, 0)).toBe(0);
    expect(heard).toEqual(['ECONNRESET']);
  });

  it('resets connections for a program that is down, with one line', async () => {
    const program = new Program(['expose', '0', `127.0.0.1:${await closedPort()}`]);
    const line = await new Promise<string>((resolve) => {
      program.child.stdout.once('data', (text: Buffer) => resolve(text.toString()));
    });
    const client = await Client.connect(Number(/:(\d+) ->/.exec(line)![1]));
    expect(await client.over).toBe('ECONNRESET');
    const { exitCode, stderr } = await program.end('SIGINT');
    expect(stderr).toMatch(/^pvcalls: a connection was reset: nobody listens at [^\n]*\n$/);
    expect(exitCode).toBe(0);
  });

  it('fails with a sentence when the port is in use', async () => {
    const taken = await echo();
    const { exitCode, stderr } = await run('expose', String(taken), '127.0.0.1:9');
    expect(stderr).toContain(`127.0.0.1:${taken} is in use`);
    expect(exitCode).toBe(1);
  });

  it('listens in the world of the backend, as ls shows', async () => {
    const { program } = await expose(await echo());
    const { devices } = await list(program);
    expect(devices[0]!.sockets).toMatchObject([{ state: 'listening', waiting: 1 }]);
  });
});
