/**
 * The bare-metal host as a compiler sees it: its idea of Xen's ABI is that of Xen's own headers,
 * and an image links without a warning and keeps the atomics of the module in it.
 */
import { mkdirSync, readFileSync, statSync } from 'node:fs';

import { expect, it } from 'vitest';

import { buildImage } from '../../host/metal/build-image.mjs';
import { ROOT, run } from '../../host/build/run.mjs';
import { shapeOf } from '../host/wasm-shape.js';

const TIMEOUT_MS = 60_000;
const IMAGE_MAX = 64 * 1024;
const OUT = `${ROOT}build/native`;

it.each(['aarch64-linux-gnu', 'x86_64-linux-gnu'])(
  'has hypercalls, structures and addresses as libxen-dev has them: %s',
  async (tools) => {
    mkdirSync(OUT, { recursive: true });
    await run('host/metal differs from the headers of Xen.', `${tools}-gcc`, [
      ...['-std=gnu11', '-ffreestanding', '-Wall', '-Wextra', '-Werror'],
      ...['-Ihost/metal', '-idirafter', '/usr/include'],
      ...['-c', 'test/native/metal-abi.c', '-o', `${OUT}/metal-abi-${tools}.o`],
    ]);
  },
);

it(
  'links into an image that has every atomic of its module',
  async () => {
    const image = await buildImage({
      name: 'pair',
      module: 'build/dom0less.wasm',
      app: 'test/xen/apps/pair.c',
    });
    const { size } = statSync(image);
    console.log(`${size} bytes of image`);
    expect(size).toBeLessThan(IMAGE_MAX);

    const { instructions } = await shapeOf(readFileSync(`${ROOT}build/dom0less.wasm`));
    const inWasm = (kind: RegExp): number =>
      [...instructions].reduce((sum, [name, count]) => sum + (kind.test(name) ? count : 0), 0);
    const object = `${ROOT}build/metal/dom0less-c.o`;
    const code = await run('objdump fails.', 'aarch64-linux-gnu-objdump', ['-d', object]);
    const inCode = (kind: RegExp): number => [...code.matchAll(kind)].length;
    expect(inWasm(/atomic\.load/)).toBeGreaterThan(0);
    expect(inCode(/\tldar[bh]?\t/g)).toBeGreaterThanOrEqual(inWasm(/atomic\.load/));
    expect(inCode(/\tstlr[bh]?\t/g)).toBeGreaterThanOrEqual(inWasm(/atomic\.store/));
  },
  TIMEOUT_MS,
);

it(
  'links into an image for x86-64 that says where it begins',
  async () => {
    const image = await buildImage({
      name: 'linux-blocking',
      module: 'build/core.wasm',
      app: 'test/xen/apps/linux-blocking.c',
      guest: true,
      architecture: 'x86-64',
    });
    console.log(`${statSync(image).size} bytes of image`);
    const notes = await run('readelf fails.', 'x86_64-linux-gnu-readelf', ['--notes', image]);
    expect(notes).toMatch(/Xen +0x00000004.*0x00000012/);
  },
  TIMEOUT_MS,
);
