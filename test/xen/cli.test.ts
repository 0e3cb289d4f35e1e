/** `pvcalls xen`, as people run it: what it shows, and what it ends with. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';

import { folder, Program, run, type Ended } from '../host/cli/program.js';
import { guestLines, imageOf } from './images.js';

const TIMEOUT_MS = 120_000;
const TIME_LIMIT_CAME = 124;
const INTERRUPTED = 130;
const MORE_THAN_ITS_MEMORY = 16 << 20;

const BYTES = 'bytes=70000 order=1';
const RECEIVER = ['--bootargs', `role=receiver peer=2 ${BYTES}`];
const SENDER = ['--bootargs', `role=sender peer=1 ${BYTES}`];

let pair = '';
let grants = '';
let faults = '';

beforeAll(async () => {
  pair = await imageOf('pair');
  grants = await imageOf('grants');
  faults = await imageOf('faults');
}, TIMEOUT_MS);

/** Hashes that a guest says it received and sent. */
function hashesOf(console: string, domid: number): [string, string] {
  const line = new RegExp(`^\\(d${domid}\\) pair: received hash (\\w+), sent hash (\\w+)$`, 'm');
  const [, received, sent] = line.exec(console) ?? [];
  return [received ?? `nothing of d${domid}`, sent ?? `nothing of d${domid}`];
}

/** Resolves once the program shows the text on stdout. */
function shows(program: Program, text: string): Promise<Ended | true> {
  let shown = '';
  const seen = new Promise<true>((resolve) => {
    program.child.stdout.on('data', (chunk: Buffer) => {
      shown += chunk.toString();
      if (shown.includes(text)) resolve(true);
    });
  });
  return Promise.race([seen, program.ended]);
}

describe('pvcalls xen', () => {
  it.each(['2', '3'])('boots two guests that exchange bytes, GICv%s', async (gic) => {
    const ended = await run('xen', '--gic', gic, ...RECEIVER, ...SENDER, pair, pair);
    const console = ended.stdout.toString();
    expect(console).toContain(`(XEN) GICv${gic}`);
    expect(console).not.toContain('\r');
    expect(hashesOf(console, 2)).toEqual(hashesOf(console, 1).reverse());
    expect(ended.stderr).toMatch(/^exit code 0 after \d+\.\d s\n$/);
    expect(ended.exitCode).toBe(0);
  });

  it("ends with the first guest's exit code", async () => {
    const { exitCode, stdout } = await run('xen', '--bootargs', 'fault=trap', faults);
    expect(guestLines(stdout.toString())[0]).toContain('panic: wasm: access out of bounds');
    expect(exitCode).toBe(102);
  });

  it('ends with the exit code of the second guest when that fails', async () => {
    const never = ['--bootargs', 'role=receiver peer=3 timeout=60000'];
    const fault = ['--bootargs', 'fault=abort'];
    const { exitCode, stdout } = await run('xen', ...never, ...fault, pair, faults);
    expect(guestLines(stdout.toString()).join('\n')).toContain('(d2) panic: synchronous exception');
    expect(exitCode).toBe(101);
  });

  it('gives JSON, a line of the console an object', async () => {
    const { stdout, stderr } = await run('xen', '--json', '-q', '--bootargs', 'self=1', grants);
    const events = stdout.toString().trimEnd().split('\n');
    const objects = events.map((line) => JSON.parse(line) as Record<string, unknown>);
    const text = '(d1) grants: first reference: 8';
    expect(objects).toContainEqual({ event: 'line', from: 'console', text });
    expect(objects.at(-1)).toMatchObject({ event: 'ended', exitCode: 0, timedOut: false });
    expect(stderr).toBe('');
  });

  it('ends with 124 and a sentence when its time limit comes', async () => {
    const idle = ['--bootargs', 'semihosting=off'];
    const { exitCode, stdout, stderr } = await run('xen', '--timeout', '3', ...idle, faults);
    expect(stdout.toString()).toContain('(XEN) Freed');
    expect(stderr).toBe('pvcalls: the time limit of 3 s came; --timeout SECONDS changes it\n');
    expect(exitCode).toBe(TIME_LIMIT_CAME);
  });

  it('shows the console as it comes, and ends at an interrupt', async () => {
    const program = new Program(['xen', '--bootargs', 'semihosting=off', faults]);
    expect(await shows(program, '(XEN) Freed')).toBe(true);
    const started = performance.now();
    const { exitCode } = await program.end('SIGINT');
    expect(exitCode).toBe(INTERRUPTED);
    expect(performance.now() - started).toBeLessThan(5000);
  });

  it('fails when Xen panics, though QEMU then ends with 0', async () => {
    const big = join(folder, 'big.img');
    writeFileSync(big, Buffer.concat([readFileSync(faults), Buffer.alloc(MORE_THAN_ITS_MEMORY)]));
    const { exitCode, stdout, stderr } = await run('xen', big);
    expect(stdout.toString()).toContain('(XEN) Panic on CPU');
    expect(stderr).toContain('Xen panicked');
    expect(exitCode).toBe(1);
  });
});

describe('pvcalls xen --dom0', () => {
  it(
    'boots a guest by xl, and keeps its console apart from that of dom0',
    async () => {
      const { exitCode, stdout, stderr } = await run(
        'xen',
        '--dom0',
        '--bootargs',
        'self=1',
        grants,
      );
      const lines = stdout.toString().trimEnd().split('\n');
      expect(lines[0]).toBe('grants: first reference: 8');
      expect(lines.filter((line) => !line.startsWith('grants: '))).toEqual([]);
      expect(stderr).toContain('dom0: is up\n');
      expect(stderr).toMatch(/^exit code 0 after \d+\.\d s: the guest's end was power-off$/m);
      expect(exitCode).toBe(0);
    },
    TIMEOUT_MS,
  );
});
