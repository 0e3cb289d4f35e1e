/** `get` against servers of every kind: what is whole, what is not, and what is no HTTP. */
import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';
import { once } from 'node:events';
import type net from 'node:net';
import { describe, expect, it } from 'vitest';

import { answering, closedPort } from './hosts.js';
import { CLI, Program, run } from './program.js';

const OK = 'HTTP/1.1 200 OK\r\n';

async function get(port: number, ...options: string[]) {
  return run('get', ...options, `http://127.0.0.1:${port}/path?query`);
}

describe('get', () => {
  it('asks as HTTP/1.1 wants it', async () => {
    const seen: string[] = [];
    const server = http.createServer((request, response) => {
      seen.push(`${request.method} ${request.url} ${request.headers.host}`);
      response.end('done');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    const { exitCode, stdout } = await run('get', `http://localhost:${port}/a%20b?c=d`);
    server.close();
    expect(seen).toEqual([`GET /a%20b?c=d localhost:${port}`]);
    expect(stdout.toString()).toBe('done');
    expect(exitCode).toBe(0);
  });

  it.each([
    ['a length', `${OK}Content-Length: 5\r\n\r\nhello, and more`],
    [
      'chunks',
      `${OK}Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nA: b\r\n\r\n`,
    ],
    ['the end of the connection', `${OK}X: y\r\n\r\nhello`],
    ['a final response after an informational one', `HTTP/1.1 103 Wait\r\n\r\n${OK}\r\nhello`],
    ['bare line feeds', 'HTTP/1.0 200 OK\nContent-Length: 5\n\nhello'],
  ])('writes the body that ends by %s', async (_, answer) => {
    const { exitCode, stdout, stderr } = await get(await answering(answer));
    expect(stdout.toString()).toBe('hello');
    expect(stderr).toMatch(/^HTTP\/1\.[01] 200 OK\n/);
    expect(exitCode).toBe(0);
  });

  it.each([
    ['a short body', `${OK}Content-Length: 9\r\n\r\nhello`, 'after 5 bytes of the body of 9'],
    [
      'a lost chunk',
      `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhel`,
      'the last chunk is missing',
    ],
    ['no last chunk', `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n`, 'in the middle'],
    ['half a head', `${OK}Content-Le`, 'in the middle'],
    ['nothing', '', 'without an answer'],
    ['another protocol', '220 smtp ready\r\n\r\n', 'no HTTP/1'],
    ['two lengths', `${OK}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`, 'no length'],
    ['a bad chunk size', `${OK}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`, 'chunk size'],
    ['another coding', `${OK}Transfer-Encoding: gzip\r\n\r\nhello`, 'gzip'],
  ])('fails with 1 and a sentence for %s', async (_, answer, sentence) => {
    const { exitCode, stderr } = await get(await answering(answer));
    expect(stderr).toContain(sentence);
    expect(stderr).not.toMatch(/^ +at /m);
    expect(exitCode).toBe(1);
  });

  it.each([['--quiet'], ['--json']])(
    'fails with 1 when %s output finds no room',
    async (option) => {
      const port = await answering(`${OK}Content-Length: 5\r\n\r\nhello`);
      const shell = ['/bin/sh', '-c', 'exec "$0" "$@" >/dev/full', process.execPath, CLI];
      const program = new Program(['get', option, `http://127.0.0.1:${port}/`], shell);
      const { exitCode, stderr } = await program.ended;
      expect(stderr).toMatch(/the output cannot be written: ENOSPC/);
      expect(exitCode).toBe(1);
    },
  );

  it('fails with 1 when the connection is reset in the body', async () => {
    const port = await answering(`${OK}\r\nhello`, (socket) => {
      setTimeout(() => socket.resetAndDestroy(), 200);
    });
    const { exitCode, stdout, stderr } = await get(port);
    expect(stdout.toString()).toBe('hello');
    expect(stderr).toContain('reset');
    expect(exitCode).toBe(1);
  });

  it('writes the body of an error and fails with 1', async () => {
    const port = await answering('HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone');
    const { exitCode, stdout } = await get(port, '--quiet');
    expect(stdout.toString()).toBe('gone');
    expect(exitCode).toBe(1);
  });

  it('says that nobody listens, or that a name is not known', async () => {
    const refused = await get(await closedPort());
    expect(refused.stderr).toContain('nobody listens at 127.0.0.1');
    expect(refused.exitCode).toBe(1);
    const unknown = await run('get', 'http://no-such-name.invalid/');
    expect(unknown.stderr).toContain('no-such-name.invalid');
    expect(unknown.exitCode).toBe(1);
  });
});

describe('a large body', () => {
  const body = randomBytes(16 << 20);
  const digest = createHash('sha256').update(body).digest('hex');
  const answer = Buffer.concat([Buffer.from(`${OK}Content-Length: ${body.length}\r\n\r\n`), body]);

  it.each([[[]], [['--threads']], [['--ring-order', '1']]])(
    'arrives whole with %j, however slowly it is read',
    async (options) => {
      const port = await answering(answer);
      const program = new Program(['get', '-q', ...options, `http://127.0.0.1:${port}/`]);
      program.child.stdout.pause();
      setTimeout(() => program.child.stdout.resume(), 300);
      const { exitCode, stdout, stderr } = await program.ended;
      expect(stderr).toBe('');
      expect(createHash('sha256').update(stdout).digest('hex')).toBe(digest);
      expect(exitCode).toBe(0);
    },
  );

  it('is described by --json', async () => {
    const { stdout } = await get(await answering(answer), '--json');
    const object = JSON.parse(stdout.toString()) as Record<string, unknown>;
    expect(object).toMatchObject({ status: 200, bytes: body.length, sha256: digest });
  });

  it('may be cut off by whoever reads it, quietly', async () => {
    const program = new Program(['get', '-q', `http://127.0.0.1:${await answering(answer)}/`]);
    program.child.stdout.once('data', () => program.child.stdout.destroy());
    const { exitCode, stderr } = await program.ended;
    expect(stderr).toBe('');
    expect(exitCode).toBe(0);
  });

  it('may be interrupted: 130', async () => {
    const port = await answering(answer.subarray(0, 1 << 20), () => undefined);
    const program = new Program(['get', `http://127.0.0.1:${port}/`]);
    await once(program.child.stdout, 'data');
    const { exitCode, stderr } = await program.end('SIGINT');
    expect(stderr).not.toContain('pvcalls:');
    expect(exitCode).toBe(130);
  });
});
