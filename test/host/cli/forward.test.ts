/** `forward`: bytes, ends and resets go through, both ways, and nothing stays behind. */
import { createHash, randomBytes } from 'node:crypto';
import net from 'node:net';
import { describe, expect, it } from 'vitest';

import { answering, Client, closedPort, server } from './hosts.js';
import { activeSockets, list, Program, run, running } from './program.js';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

function forward(target: number, ...options: string[]) {
  return running('forward', ...options, '0', `127.0.0.1:${target}`);
}

const echo = (): Promise<number> => server((socket) => socket.pipe(socket));

describe.each([
  [[]],
  [['--threads']],
  [['--guests', '3']],
  [['--guests', '2', '--threads']],
  [['--layout', 'v7', '--ring-order', '0']],
  [['--ring-order', '9']],
])('forward %j', (options) => {
  it('carries many connections at once, both ways, byte for byte', async () => {
    const { program, port } = await forward(await echo(), ...options);
    const transfers = Array.from({ length: 12 }, async () => {
      const payload = randomBytes(700_000);
      const client = await Client.connect(port);
      client.socket.write(payload);
      expect(sha256(await client.received(payload.length))).toBe(sha256(payload));
      client.socket.destroy();
    });
    await Promise.all(transfers);
    expect(program.stderr).toBe('');
    const { exitCode, stderr } = await program.end('SIGTERM');
    expect(stderr).toBe('');
    expect(exitCode).toBe(0);
  });

  it('passes a reset on', async () => {
    const resetting = await answering('last words', (socket) => {
      setTimeout(() => socket.resetAndDestroy(), 100);
    });
    const { port } = await forward(resetting, ...options);
    const client = await Client.connect(port);
    client.socket.write('x');
    expect((await client.received(10)).toString()).toBe('last words');
    expect(await client.over).toBe('ECONNRESET');
  });
});

describe('a client that ends', () => {
  it('still gets the reply, however late', async () => {
    let asked = '';
    const target = await server((socket) => {
      socket.on('data', (chunk) => {
        asked += chunk.toString();
        if (asked === 'question') setTimeout(() => socket.end('answer'), 700);
      });
    });
    const { port, program } = await forward(target);
    const client = await Client.connect(port);
    client.socket.end('question');
    expect(await client.over).toBe('end');
    expect(client.bytes.toString()).toBe('answer');
    expect(await activeSockets(program, 0)).toBe(0);
  });

  it('is let go of when nothing moves for --idle seconds', async () => {
    const ends: string[] = [];
    const target = await server((socket) => {
      socket.on('data', () => undefined);
      socket.on('end', () => ends.push('end'));
    });
    const { port, program } = await forward(target, '--idle', '1');
    const client = await Client.connect(port);
    client.socket.end('question');
    expect(await activeSockets(program, 1)).toBe(1);
    expect(await client.over).toBe('end');
    expect(await activeSockets(program, 0)).toBe(0);
    expect(ends).toEqual(['end']);
  });

  it('by a reset resets the target', async () => {
    const over = new Promise<string>((resolve, reject) => {
      server((socket) => {
        socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
        socket.on('end', () => resolve('end'));
        socket.resume();
      })
        .then((target) => forward(target))
        .then(async ({ port }) => {
          const client = await Client.connect(port);
          client.socket.write('x');
          setTimeout(() => client.socket.resetAndDestroy(), 200);
        })
        .catch(reject);
    });
    expect(await over).toBe('ECONNRESET');
  });
});

describe('a target that ends', () => {
  it('ends the client after all data, and still hears it', async () => {
    let heard = '';
    const all = randomBytes(500_000);
    const target = await server((socket) => {
      socket.on('data', (chunk) => (heard += chunk.toString()));
      socket.end(all);
    });
    const { port, program } = await forward(target);
    const client = await Client.connect(port);
    expect(await client.over).toBe('end');
    expect(sha256(client.bytes)).toBe(sha256(all));
    client.socket.write('after');
    client.socket.end(' the end');
    expect(await activeSockets(program, 0)).toBe(0);
    expect(heard).toBe('after the end');
  });

  it('by being killed in the middle ends the client, and no socket stays', async () => {
    const script = `require('net').createServer((s) => {
      s.on('error', () => {}); const more = () => { while (s.write(Buffer.alloc(65536))); };
      s.on('drain', more); more();
    }).listen(0, '127.0.0.1', function () { console.log(this.address().port); })`;
    const target = new Program(['-e', script], [process.execPath]);
    const port = await new Promise<number>((resolve) => {
      target.child.stdout.once('data', (text: Buffer) => resolve(Number(text)));
    });
    const { program, port: front } = await forward(port);
    const client = await Client.connect(front);
    await client.received(4_000_000);
    await target.end('SIGKILL');
    expect(['end', 'ECONNRESET']).toContain(await client.over);
    client.socket.destroy();
    expect(await activeSockets(program, 0)).toBe(0);
    const { devices, domains } = await list(program);
    expect(devices[0]!.mappedPages).toBe(1); // the command ring
    expect(domains[1]!.grants).toHaveLength(2); // and the page of xenstore
  });

  it('before it starts resets the client, with one line', async () => {
    const target = await closedPort();
    const program = new Program(['forward', '0', `127.0.0.1:${target}`]);
    const line = await new Promise<string>((resolve) => {
      program.child.stdout.once('data', (text: Buffer) => resolve(text.toString()));
    });
    expect(line).toMatch(new RegExp(`^127\\.0\\.0\\.1:\\d+ -> 127\\.0\\.0\\.1:${target}\n$`));
    for (let i = 0; i < 3; i++) {
      const client = await Client.connect(Number(/:(\d+) ->/.exec(line)![1]));
      expect(await client.over).toBe('ECONNRESET');
    }
    const { exitCode, stderr } = await program.end('SIGINT');
    expect(stderr).toMatch(/^pvcalls: .* was reset: nobody listens at 127\.0\.0\.1:\d+; [^\n]*\n$/);
    expect(exitCode).toBe(0);
  });
});

describe('forward', () => {
  it('does not read ahead of a target that does not read', async () => {
    let socket: net.Socket | undefined;
    const target = await server((accepted) => (socket = accepted).pause());
    const { port } = await forward(target);
    const payload = randomBytes(32 << 20);
    const client = await Client.connect(port);
    let taken = false;
    client.socket.end(payload, () => (taken = true));
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(taken).toBe(false);
    const hash = createHash('sha256');
    const whole = new Promise((resolve) => socket!.on('end', resolve));
    socket!.on('data', (chunk) => hash.update(chunk));
    socket!.resume();
    setTimeout(() => socket!.end(), 1000);
    await client.over;
    socket!.destroy();
    await Promise.race([whole, new Promise((resolve) => setTimeout(resolve, 100))]);
    expect(hash.digest('hex')).toBe(sha256(payload));
  });

  it('makes room for new clients by letting go of those that have ended', async () => {
    const silent = await server((socket) => socket.resume());
    const { port, program } = await forward(silent, '--ring-order', '9');
    const clients: Client[] = [];
    for (let i = 0; i < 130; i++) {
      const client = await Client.connect(port);
      client.socket.end('x');
      clients.push(client);
    }
    expect(await clients[0]!.over).toBe('end');
    expect(program.stderr).toBe('');
    expect(await activeSockets(program, 0)).toBeGreaterThan(50);
  });

  it('tells of its connections with --json', async () => {
    const { port, program } = await forward(await answering('four'));
    const client = await Client.connect(port);
    client.socket.end('two');
    await client.over;
    await activeSockets(program, 0);
    const { stdout } = await program.end('SIGTERM');
    const [first, second] = stdout.toString().trimEnd().split('\n');
    expect(JSON.parse(first!)).toMatchObject({ event: 'listening', port });
    expect(JSON.parse(second!)).toMatchObject({ event: 'closed', sent: 3, received: 4 });
  });

  it('fails with a sentence when the port is in use', async () => {
    const taken = await echo();
    const { exitCode, stderr } = await run('forward', String(taken), '127.0.0.1:9');
    expect(stderr).toContain(`127.0.0.1:${taken} is in use`);
    expect(stderr).not.toMatch(/^ +at /m);
    expect(exitCode).toBe(1);
  });

  it('says so when there are too many open files, and goes on', async () => {
    const target = await echo();
    const command = ['sh', '-c', 'ulimit -n 40; exec "$0" "$@"', process.execPath];
    const cli = new URL('../../../build/host/cli.js', import.meta.url).pathname;
    const args = [cli, 'forward', '--json', '0', `127.0.0.1:${target}`];
    const program = new Program(args, command);
    const port = Number((await program.first())['port']);
    const clients = await Promise.all(Array.from({ length: 30 }, () => Client.connect(port)));
    const overs = clients.map((client) => client.over);
    expect(['end', 'ECONNRESET']).toContain(await Promise.race(overs));
    for (const { socket } of clients) socket.resetAndDestroy(); // an end alone is no reason to go
    await new Promise((resolve) => setTimeout(resolve, 200));
    const client = await Client.connect(port);
    client.socket.write('still there');
    expect((await client.received(11)).toString()).toBe('still there');
    const { stdout, stderr } = await program.end('SIGTERM');
    expect(`${stdout.toString()}${stderr}`).not.toMatch(/^ +at /m);
  });

  it('cuts what is under way when it is ended, and leaves nothing behind', async () => {
    const endless = await server((socket) => {
      const more = (): void => {
        while (!socket.destroyed && socket.write(Buffer.alloc(65_536)));
      };
      socket.on('drain', more);
      more();
    });
    const { port, program } = await forward(endless, '--guests', '2');
    const clients = await Promise.all(Array.from({ length: 6 }, () => Client.connect(port)));
    await Promise.all(clients.map((client) => client.received(1_000_000)));
    const { exitCode, stderr } = await program.end('SIGINT');
    expect(await Promise.all(clients.map((client) => client.over))).toEqual(
      Array(6).fill('ECONNRESET'),
    );
    expect(stderr).toBe('');
    expect(exitCode).toBe(0);
  });
});

describe('a reset behind bytes that were not read yet', () => {
  it('is no end: neither of the target for the client, nor the other way', async () => {
    const answer = randomBytes(1 << 20);
    const target = await answering(answer, (socket) => socket.resetAndDestroy());
    const { port, program } = await forward(target);
    const client = await Client.connect(port);
    client.socket.pause(); // the ring and the kernel's buffers fill up
    client.socket.write('x');
    await new Promise((resolve) => setTimeout(resolve, 300));
    client.socket.resume();
    expect(await client.over).toBe('ECONNRESET');
    expect(await activeSockets(program, 0)).toBe(0);
  });
});
