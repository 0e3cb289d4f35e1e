/** Runs the built command line as people do: as a process of its own, in a folder of its own. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach } from 'vitest';

export const CLI = fileURLToPath(new URL('../../../build/host/cli.js', import.meta.url));

/** Where the instances of this test file find each other. */
export const folder = mkdtempSync(join(tmpdir(), 'pvcalls-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const programs = new Set<Program>();
afterEach(async () => {
  await Promise.all([...programs].map((program) => program.end('SIGKILL')));
});

export interface Ended {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export class Program {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Ended>;
  stderr = '';
  private readonly stdout: Buffer[] = [];

  constructor(args: readonly string[], command: readonly string[] = [process.execPath, CLI]) {
    const env = { ...process.env, TMPDIR: folder };
    const [file, ...first] = command;
    this.child = spawn(file!, [...first, ...args], { env });
    this.child.stdout.on('data', (chunk: Buffer) => this.stdout.push(chunk));
    this.child.stderr.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    programs.add(this);
    this.ended = once(this.child, 'close').then(([exitCode, signal]) => {
      programs.delete(this);
      const stdout = Buffer.concat(this.stdout);
      return { exitCode, signal, stdout, stderr: this.stderr } as Ended;
    });
  }

  /** The first object that a verb prints with --json. */
  async first(): Promise<Record<string, unknown>> {
    for (;;) {
      const text = Buffer.concat(this.stdout).toString();
      if (text.includes('\n')) return JSON.parse(text.slice(0, text.indexOf('\n'))) as never;
      const event = await Promise.race([once(this.child.stdout, 'data'), this.ended]);
      if ('exitCode' in event) throw new Error(`it ended at once: ${event.stderr}`);
    }
  }

  end(signal: NodeJS.Signals): Promise<Ended> {
    this.child.kill(signal);
    return this.ended;
  }
}

/** Runs to the end. */
export function run(...args: string[]): Promise<Ended> {
  return new Program(args).ended;
}

/** A verb that listens, once it does; and its port. */
export async function running(...args: string[]): Promise<{ program: Program; port: number }> {
  const program = new Program([...args, '--json']);
  return { program, port: Number((await program.first())['port']) };
}

interface Listing {
  pid: number;
  command: string[];
  domains: { domid: number; grants: { ref: number }[]; ports: unknown[] }[];
  devices: { frontend: string; sockets: { state: string }[]; mappedPages: number }[];
  store: Record<string, string>;
}

/** What `ls --json` says of one process. */
export async function list({ child }: Program): Promise<Listing> {
  const { stdout, stderr } = await run('ls', '--json', String(child.pid));
  if (stdout.length === 0) throw new Error(stderr);
  return JSON.parse(stdout.toString()) as Listing;
}

/** Connected or connecting sockets of all guests, as soon as there are so many; else what is. */
export async function activeSockets(program: Program, awaited: number): Promise<number> {
  for (let attempt = 0; ; attempt++) {
    const { devices } = await list(program);
    const all = devices.flatMap(({ sockets }) => sockets);
    const { length } = all.filter(({ state }) => state !== 'listening');
    if (length === awaited || attempt === 20) return length;
  }
}
