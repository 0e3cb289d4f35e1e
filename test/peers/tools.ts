/** Programs of Debian, and what they talk to, for the tests of `forward` and `expose`. */
import { Program, type Ended } from '../host/cli/program.js';

/** `npm run test:long` sets it. */
export const LONG = Boolean(process.env['PVCALLS_LONG']);

export const MIB = 1 << 20;

/** Runs a program to its end. */
export function tool(command: string, ...args: string[]): Promise<Ended> {
  return new Program(args, [command]).ended;
}

/** Runs a line of shell to its end. Result: what it wrote, without the last line feed. */
export async function shell(line: string): Promise<string> {
  const { stdout, stderr, exitCode } = await tool('sh', '-c', line);
  if (exitCode !== 0) throw new Error(`${line} ended with ${exitCode}: ${stderr}`);
  return stdout.toString().trimEnd();
}

/** GET /N sends N MiB of a block that repeats; / sends 'hello'; PUT answers with the SHA-256. */
const HTTP_SERVER = `
const { createHash } = require('node:crypto');
const block = Buffer.alloc(${MIB}, 'PV Calls carries bytes. ');
require('node:http').createServer((request, response) => {
  if (request.method === 'PUT') {
    const hash = createHash('sha256');
    request.on('data', (chunk) => hash.update(chunk));
    request.on('end', () => response.end(hash.digest('hex')));
    return;
  }
  let left = Number(request.url.slice(1));
  if (left === 0) return response.end('hello');
  response.writeHead(200, { 'content-length': left * block.length });
  const more = () => {
    while (left > 0) {
      left -= 1;
      if (!response.write(block)) return response.once('drain', more);
    }
    response.end();
  };
  more();
}).listen(0, '127.0.0.1', function () { console.log(this.address().port); });
`;

/** An HTTP server in a process of its own, and its port. */
export async function httpServer(): Promise<{ server: Program; port: number }> {
  const server = new Program(['-e', HTTP_SERVER], [process.execPath]);
  const port = await new Promise<number>((resolve) => {
    server.child.stdout.once('data', (text: Buffer) => resolve(Number(text)));
  });
  return { server, port };
}

/** A Redis server without a disk, and its port. */
export async function redisServer(port: number): Promise<Program> {
  const options = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--appendonly',
    'no',
  ];
  const server = new Program(options, ['redis-server']);
  for (;;) {
    const { stdout } = await tool('redis-cli', '-p', String(port), 'ping');
    if (stdout.toString() === 'PONG\n') return server;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
