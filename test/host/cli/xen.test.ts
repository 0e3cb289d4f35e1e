/** `xen`: what it says when it is asked wrongly, or when nothing can boot. Needs no QEMU. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';

import { ConsoleLines } from '../../../host/cli/console-lines.js';
import { folder, Program, run, type Ended } from './program.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const CLI = 'build/host/cli.js';

const image = join(folder, 'guest.img');
const elf = join(folder, 'guest.elf');
const short = join(folder, 'short.img');

beforeAll(() => {
  const header = Buffer.alloc(64);
  header.write('ARM\x64', 56, 'latin1');
  writeFileSync(image, header);
  writeFileSync(short, header.subarray(0, 60));
  writeFileSync(elf, Buffer.concat([Buffer.from('\x7fELF'), Buffer.alloc(60)]));
});

function expectRefusal({ exitCode, stdout, stderr }: Ended, sentence: string): void {
  expect(stderr).toContain(sentence);
  expect(stderr).not.toMatch(/^ +at /m);
  expect(exitCode).toBe(2);
  expect(stdout.length).toBe(0);
}

describe('xen refuses', () => {
  it.each([
    [[], 'xen takes IMAGE [IMAGE2], not nothing'],
    [['a', 'b', 'c'], 'xen takes IMAGE [IMAGE2], not "a b c"'],
    [['--gic', '4', image], '--gic is "4"; it takes 2 or 3'],
    [['--timeout', '0', image], 'from 1 to 86400'],
    [['--dom0', image, image], '--dom0 takes one image, not 2'],
    [['--bootargs', 'a', '--bootargs', 'b', image], 'more --bootargs than images'],
    [['--bootargs', 'a"b', image], 'without " and \\'],
    [['--bootargs', 'a\nb', image], 'printable ASCII'],
    [['--bootargs', 'x'.repeat(1001), image], 'has 1001 characters; it takes up to 1000'],
    [[join(folder, 'nowhere.img')], 'there is no image'],
    [[folder], 'is a folder, not an image'],
    [[short], 'is no arm64 Image: it has no "ARM\\x64" at offset 56'],
    [[image, elf], 'objcopy -O binary makes it flat'],
  ])('%j', async (args, sentence) => {
    expectRefusal(await run('xen', ...args), sentence);
  });

  it.each([[[]], [['--dom0']]])('%j without QEMU, and says what sets it up', async (options) => {
    const command = ['/usr/bin/env', `PATH=${folder}`, process.execPath, ROOT + CLI];
    const { ended } = new Program(['xen', ...options, image], command);
    expectRefusal(await ended, 'npm run xen:setup');
  });

  it('in an installed package, and says where it works', async () => {
    const installed = join(folder, 'installed');
    mkdirSync(join(installed, 'build/host'), { recursive: true });
    for (const file of ['package.json', CLI]) copyFileSync(ROOT + file, join(installed, file));
    const { ended } = new Program(['xen', image], [process.execPath, join(installed, CLI)]);
    expectRefusal(await ended, 'is not in the installed package; in a clone of the repository');
  });
});

describe('xen', () => {
  it('has help', async () => {
    const { exitCode, stdout } = await run('xen', '--help');
    expect(exitCode).toBe(0);
    expect(stdout.toString()).toMatch(/--timeout SECONDS[^]*Examples:\n {2}pvcalls xen/);
  });

  it('shows a console in whole lines, however it comes', () => {
    const shown: string[] = [];
    const lines = new ConsoleLines((line) => shown.push(line));
    const bytes = Buffer.from('first\r\nsecönd\n\nlast');
    for (const byte of bytes) lines.take(Buffer.of(byte));
    expect(shown).toEqual(['first', 'secönd', '']);
    lines.end();
    lines.end();
    expect(shown).toEqual(['first', 'secönd', '', 'last']);
  });
});
