/**
 * The second world: the core as C through wasm2c, compiled freestanding for arm64 with the runtime
 * of host/metal/wasm-rt, keeps its ordering and needs nothing but the seam. Linked for x86-64 as
 * well, where it can run.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';

import { beforeAll, describe, expect, it } from 'vitest';

import { ROOT, inModules, run } from '../../host/build/run.mjs';
import { shapeOf } from '../host/wasm-shape.js';

const OUT = `${ROOT}build/native`;
const core = readFileSync(`${ROOT}build/core.wasm`);
const shape = await shapeOf(core);

/** What a world without a C library supplies, besides the hypercalls. */
const SUPPLIED = ['memcpy', 'memmove', 'memset', 'memcmp', 'wasm_rt_trap', 'w2c_env_memory'];

const FREESTANDING = [
  '-std=c11',
  '-O2',
  '-ffreestanding',
  '-fno-pic',
  '-Wall',
  '-Wextra',
  '-Werror',
];
/**
 * Functions that wasm2c always prints are unused. Atomics are counted, so equal code must not be
 * merged, nor the helper that holds an atomic be called instead of standing in place.
 */
const COUNTABLE = [
  '-Wno-unused',
  '-fno-crossjumping',
  '-fno-tree-tail-merge',
  '-fno-ipa-icf',
  '-Dinline=inline __attribute__((always_inline))',
];
const ARM64 = ['-mgeneral-regs-only', '-mno-outline-atomics', '-mstrict-align'];

const hypercalls = [...shape.imports].filter(([name]) => name.startsWith('hypercalls.'));
const symbolOf = (name: string): string => `w2c_hypercalls_${name.replace('hypercalls.', '')}`;

async function compile(prefix: string, flags: string[], object: string): Promise<void> {
  const include = (await run('gcc fails', `${prefix}gcc`, ['-print-file-name=include'])).trim();
  await run('The core does not compile as C.', `${prefix}gcc`, [
    ...FREESTANDING,
    ...COUNTABLE,
    ...flags,
    '-nostdinc',
    '-isystem',
    include,
    `-I${ROOT}host/metal/wasm-rt`,
    '-c',
    `${OUT}/core.c`,
    '-o',
    `${OUT}/${object}`,
  ]);
}

const tool = (name: string, args: string[]) =>
  run(`${name} fails`, `aarch64-linux-gnu-${name}`, args);

/** How often any of the instructions stands in a disassembly. */
function count(disassembly: string, pattern: RegExp): number {
  return [...disassembly.matchAll(pattern)].length;
}

/** How often instructions of the wasm whose name matches stand in its code. */
function inWasm(pattern: RegExp): number {
  return [...shape.instructions]
    .filter(([name]) => pattern.test(name))
    .reduce((sum, [, occurrences]) => sum + occurrences, 0);
}

/** A main() over the C of the core, with hypercalls that answer 0. */
function harness(): string {
  const stubs = hypercalls.map(([name, type]) => {
    const parameters = type.split('->')[0]!.trim().split(' ').filter(Boolean);
    const list = ['struct w2c_hypercalls *xen', ...parameters.map((_, i) => `u32 a${i}`)];
    const uses = ['xen', ...parameters.map((_, i) => `a${i}`)].map((name) => `(void)${name};`);
    return `u32 ${symbolOf(name)}(${list.join(', ')}) { ${uses.join(' ')} return 0; }`;
  });
  return `#include <stdio.h>
#include <stdlib.h>
#include "core.h"
static uint8_t bytes[65536];
static wasm_rt_shared_memory_t memory = { bytes, bytes + 65536, 65536, 1, 1, 65536, 0 };
wasm_rt_shared_memory_t *w2c_env_memory(struct w2c_env *env) { (void)env; return &memory; }
void wasm_rt_trap(wasm_rt_trap_t trap) { printf("trap %d", trap); exit(1); }
${stubs.join('\n')}
int main(void) {
    w2c_core core;
    wasm2c_core_instantiate(&core, 0, 0);
    printf("%u", w2c_core_abi_version(&core));
}
`;
}

beforeAll(async () => {
  mkdirSync(OUT, { recursive: true });
  await run('wasm2c fails', process.execPath, [
    inModules('wabt/bin/wasm2c'),
    '--enable-threads',
    '--module-name=core',
    `--output=${OUT}/core.c`,
    `${ROOT}build/core.wasm`,
  ]);
});

describe('the core on arm64', () => {
  let disassembly = '';

  beforeAll(async () => {
    await compile('aarch64-linux-gnu-', ARM64, 'core-arm64.o');
    disassembly = await tool('objdump', ['--disassemble', `${OUT}/core-arm64.o`]);
  });

  it('needs only the hypercalls, the memory, a trap and four functions on bytes', async () => {
    const symbols = await tool('nm', ['--undefined-only', `${OUT}/core-arm64.o`]);
    const needed = [...symbols.matchAll(/ U (\S+)/g)].map(([, name]) => name);
    const allowed = [...SUPPLIED, ...hypercalls.map(([name]) => symbolOf(name))];
    expect(needed.filter((name) => !allowed.includes(name!))).toEqual([]);
  });

  it('loads with acquire wherever the wasm loads atomically', () => {
    const loads = inWasm(/^i(32|64)\.atomic\.load/);
    const acquires = count(disassembly, /\tldar[bh]?\t/g);
    console.log(`${loads} atomic loads in wasm, ${acquires} ldar`);
    expect(loads).toBeGreaterThan(0);
    expect(acquires).toBeGreaterThanOrEqual(loads);
  });

  it('stores with release wherever the wasm stores atomically', () => {
    const stores = inWasm(/^i(32|64)\.atomic\.store/);
    const releases = count(disassembly, /\tstlr[bh]?\t/g);
    console.log(`${stores} atomic stores in wasm, ${releases} stlr`);
    expect(stores).toBeGreaterThan(0);
    expect(releases).toBeGreaterThanOrEqual(stores);
  });

  it('exchanges with acquire and release wherever the wasm does', () => {
    const exchanges = inWasm(/^i(32|64)\.atomic\.rmw/);
    expect(count(disassembly, /\tldaxr[bh]?\t/g)).toBeGreaterThanOrEqual(exchanges);
    expect(count(disassembly, /\tstlxr[bh]?\t/g)).toBeGreaterThanOrEqual(exchanges);
  });
});

describe('the core on x86-64', () => {
  it('links, and answers abi_version() as the wasm does', async () => {
    await compile('', [], 'core-x86-64.o');
    writeFileSync(`${OUT}/main.c`, harness());
    await run('The core does not link.', 'gcc', [
      '-no-pie',
      `-I${ROOT}host/metal/wasm-rt`,
      `${OUT}/main.c`,
      `${OUT}/core-x86-64.o`,
      '-o',
      `${OUT}/core`,
    ]);
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    const none = Object.fromEntries(
      hypercalls.map(([name]) => [name.replace('hypercalls.', ''), () => 0]),
    );
    const instance = new WebAssembly.Instance(new WebAssembly.Module(core), {
      env: { memory },
      hypercalls: none,
    });
    const { abi_version } = instance.exports as { abi_version: () => number };
    expect(await run('The core does not run.', `${OUT}/core`, [])).toBe(`${abi_version()}`);
  });
});
