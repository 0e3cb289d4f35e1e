/**
 * libpvcalls: the core as C behind pvcalls.h. On a kernel that is not there (test/native/kernel),
 * with a backend written against Xen's headers, under the sanitizers of gcc; all specs of the core
 * as C under the same; and the archives as a linker sees them.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';

import { beforeAll, describe, expect, it } from 'vitest';

import { isFresh, makeAndNote } from '../../host/build/freshness.mjs';
import { buildLibrary } from '../../host/embed/build-library.mjs';
import { ROOT, inModules, run } from '../../host/build/run.mjs';
import { shapeOf } from '../host/wasm-shape.js';
import { sources } from '../host/sources.js';

const OUT = 'build/native/library';
const LIB = 'build/lib';
const KERNEL = 'test/native/kernel';
const TIMEOUT_MS = 120_000;

const INCLUDE = ['host/embed', 'host/metal', 'host/metal/wasm-rt', LIB, KERNEL].map(
  (f) => `-I${f}`,
);
const SANITIZED = [
  '-std=gnu11',
  '-g1',
  '-fsanitize=address,undefined',
  '-fno-sanitize-recover=all',
  '-fno-omit-frame-pointer',
];
/** Equal code must not be merged, nor the helper that holds an atomic stand for many. */
const COUNTABLE = [
  ...['-std=gnu11', '-O2', '-w', '-fno-crossjumping', '-fno-tree-tail-merge', '-fno-ipa-icf'],
  ...['-ffreestanding', '-mgeneral-regs-only'],
  '-Dinline=inline __attribute__((always_inline))',
];
const STRICT = ['-Wall', '-Wextra', '-Werror'];

const gcc = (args: string[]) => run('gcc fails.', 'gcc', args);
const arm64 = (tool: string, args: string[]) =>
  run(`${tool} fails.`, `aarch64-linux-gnu-${tool}`, args);

/** Compiles and links; C that wasm2c made in pieces of its own, side by side. */
async function program(name: string, files: string[], generated: string[], include = INCLUDE) {
  const objects = await Promise.all(
    generated.map(async (file, index) => {
      const object = `${OUT}/${name}-${index}.o`;
      await gcc([...SANITIZED, '-O0', '-w', ...include, '-c', file, '-o', object]);
      return object;
    }),
  );
  const flags = [...SANITIZED, '-O1', ...STRICT, '-Wno-unused-function', ...include];
  await gcc([...flags, ...files, ...objects, '-o', `${OUT}/${name}`, '-lm']);
}

/** Ends of programs: what they printed, and whether they succeeded. */
function ended(name: string, args: string[] = []) {
  const { status, stdout, stderr } = spawnSync(`${ROOT}${OUT}/${name}`, args, { encoding: 'utf8' });
  return { status, lines: stdout.trimEnd().split('\n'), stderr };
}

const kernelFiles = (names: string[]) => names.map((name) => `${KERNEL}/${name}.c`);

beforeAll(async () => {
  mkdirSync(ROOT + OUT, { recursive: true });
  await buildLibrary();
}, TIMEOUT_MS);

describe('libpvcalls under ASan and UBSan', () => {
  const scenarios = readFileSync(`${ROOT}${KERNEL}/scenarios.c`, 'utf8');

  beforeAll(async () => {
    const library = ['library', 'seam', 'sockets', 'strings'].map((f) => `host/embed/${f}.c`);
    const world = kernelFiles(['kernel', 'backend', 'world', 'device', 'scenarios']);
    await program('scenarios', [...library, ...world], [`${LIB}/core.c`]);
  }, TIMEOUT_MS);

  it('holds in every scenario, with nothing left over', () => {
    const names = [...scenarios.matchAll(/^ {4}\{ "([\w ]+)", \w+ \},$/gm)].map(([, name]) => name);
    expect(names.length).toBeGreaterThan(10);
    expect(ended('scenarios')).toEqual({ status: 0, lines: names, stderr: '' });
  });

  it('is watched: tables outside of the memory are found', () => {
    const { status, stderr } = ended('scenarios', ['outside']);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/AddressSanitizer: heap-buffer-overflow/);
  });
});

describe('the specs of the core as C, under ASan and UBSan', () => {
  const specs = sources(/^test\/assembly\/.*\.spec\.ts$/).flatMap(
    ({ text }) => text.match(/^ *it\(/gm) ?? [],
  ).length;

  const module = 'build/test/self-test-shared.wasm';
  const step = {
    inputs: [module, 'host/metal/wasm-rt', KERNEL],
    outputs: [`${OUT}/self-test`],
    make: async () => {
      await run('wasm2c fails.', process.execPath, [
        inModules('wabt/bin/wasm2c'),
        ...['--enable-threads', '--no-debug-names', '--module-name=selftest', '--num-outputs=4'],
        `--output=${OUT}/selftest.c`,
        module,
      ]);
      const generated = [0, 1, 2, 3].map((part) => `${OUT}/selftest_${part}.c`);
      const include = ['-Ihost/metal/wasm-rt', `-I${OUT}`];
      await program('self-test', kernelFiles(['self-test']), generated, include);
    },
  };

  beforeAll(async () => {
    if (!isFresh('native self-test', step)) await makeAndNote('native self-test', step);
  }, TIMEOUT_MS);

  it('pass', () => {
    const { status, lines, stderr } = ended('self-test', ['run']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(specs).toBeGreaterThan(0);
    expect(Number(lines[0])).toBeGreaterThanOrEqual(specs);
  });

  it('fail, and say where, when grants name the wrong frames', () => {
    const { status, stderr } = ended('self-test', ['run_broken']);
    expect(status).toBe(1);
    expect(stderr).toMatch(/trap \d+ in \w+\.spec\.ts > .* > .*, expectation [1-9]/);
  });
});

describe.each([
  { architecture: 'x86-64', prefix: 'x86_64-linux-gnu-', flags: [] },
  { architecture: 'arm64', prefix: 'aarch64-linux-gnu-', flags: ['-mno-outline-atomics'] },
])('libpvcalls.a for $architecture', ({ architecture, prefix, flags }) => {
  const tool = (name: string, args: string[]) => run(`${name} fails.`, `${prefix}${name}`, args);
  const archive = `${ROOT}${LIB}/${architecture}/libpvcalls.a`;
  const declaredIn = (header: string) =>
    [
      ...readFileSync(`${ROOT}host/embed/${header}`, 'utf8').matchAll(
        /^\w[^#\n]*?(pvcalls_\w+)\(/gm,
      ),
    ]
      .map(([, name]) => name!)
      .sort();

  it('needs the seam and three functions on bytes, and has every call of pvcalls.h', async () => {
    const symbols = await tool('nm', ['--extern-only', archive]);
    const named = (kind: RegExp) => [...symbols.matchAll(kind)].map(([, name]) => name!);
    const defined = new Set(named(/ [TDR] (\w+)$/gm));
    const needed = new Set(named(/ U (\w+)$/gm).filter((name) => !defined.has(name)));
    expect([...needed].sort()).toEqual(
      ['memcpy', 'memmove', 'memset', ...declaredIn('pvcalls_hypercalls.h')].sort(),
    );
    expect(declaredIn('pvcalls.h').length).toBeGreaterThan(30);
    expect(declaredIn('pvcalls.h').filter((name) => !defined.has(name))).toEqual([]);
  });

  it('keeps every atomic of the wasm, as an instruction that orders', async () => {
    const { instructions } = await shapeOf(readFileSync(`${ROOT}build/core.wasm`));
    const inWasm = (kind: RegExp) =>
      [...instructions].reduce((sum, [name, count]) => sum + (kind.test(name) ? count : 0), 0);
    const object = `${OUT}/countable-${architecture}.o`;
    await tool('gcc', [...COUNTABLE, ...flags, ...INCLUDE, '-c', `${LIB}/core.c`, '-o', object]);
    const code = await tool('objdump', ['-d', object]);
    const inCode = (kind: RegExp) => [...code.matchAll(kind)].length;
    const arm64 = architecture === 'arm64';
    // On x86-64 a load is an ordinary one, and a store is an exchange, which is a full barrier.
    const stores = inCode(arm64 ? /\tstlr[bh]?\t/g : /\t(xchg|mfence)\b/g);
    const exchanges = inCode(arm64 ? /\tstlxr[bh]?\t/g : /\t(lock|xchg)\b/g);
    console.log(`${inWasm(/atomic\.store/)} atomic stores in wasm, ${stores} in ${architecture}`);
    expect(inWasm(/atomic\.store/)).toBeGreaterThan(0);
    expect(stores).toBeGreaterThanOrEqual(inWasm(/atomic\.store/));
    expect(exchanges).toBeGreaterThanOrEqual(inWasm(/atomic\.rmw/));
    if (arm64) expect(inCode(/\tldar[bh]?\t/g)).toBeGreaterThanOrEqual(inWasm(/atomic\.load/));
    // And the archive has been compiled from the same source.
    const own = await tool('objdump', ['-d', `${LIB}/${architecture}/pvcalls/core-c.o`]);
    expect(own).toMatch(arm64 ? /\tstlr\t/ : /\txchg\b/);
  });
});

describe('what others build', () => {
  it('is the example of docs/embedding.md, with the archive for x86-64', async () => {
    const text = readFileSync(`${ROOT}docs/embedding.md`, 'utf8');
    const example = /^```c\n([^]*?)^```$/m.exec(text)![1]!;
    writeFileSync(`${ROOT}${OUT}/embedder.c`, example);
    const world = kernelFiles(['kernel', 'backend', 'world', 'example']);
    const flags = ['-std=gnu11', '-g1', '-O1', ...STRICT, `-I${LIB}/include`, `-I${KERNEL}`];
    const archive = `${LIB}/x86-64/libpvcalls.a`;
    await gcc([...flags, `${OUT}/embedder.c`, ...world, archive, '-o', `${OUT}/embedder`]);
    expect(ended('embedder')).toEqual({ status: 0, lines: ['hello'], stderr: '' });
  });

  it('is a guest for x86-64 that begins where its note says', async () => {
    const compile = ['-std=gnu11', '-O2', '-ffreestanding', '-mgeneral-regs-only', ...STRICT];
    const link = ['-nostdlib', '-static', '-no-pie', '-fno-pic', '-Wl,-z,max-page-size=4096'];
    const elf = `${OUT}/guest-x86-64.elf`;
    await run('A guest for x86-64 does not link.', 'x86_64-linux-gnu-gcc', [
      ...[...compile, '-mno-red-zone', '-fcf-protection=none', ...link, '-Wl,--gc-sections'],
      ...[`-I${LIB}/include`, '-Itest/xen/apps', 'test/xen/apps/linux-blocking.c'],
      ...[`-Wl,-T,${LIB}/x86-64/guest.ld`, `-L${LIB}/x86-64`, '-lpvcalls-metal', '-o', elf],
    ]);
    const said = await run('readelf fails.', 'x86_64-linux-gnu-readelf', ['-Wnh', elf]);
    const entry = Number(/Entry point address: +(0x[0-9a-f]+)/.exec(said)?.[1]);
    const bytes = /0x00000012.*data: ((?:[0-9a-f]{2} ?){4})/.exec(said)?.[1] ?? '';
    expect(Buffer.from(bytes.replaceAll(' ', ''), 'hex').readUInt32LE()).toBe(entry);
  });

  it('is a guest of 64 KiB or less, with libpvcalls-metal.a and its headers alone', async () => {
    const compile = ['-std=gnu11', '-O2', '-ffreestanding', '-mgeneral-regs-only', ...STRICT];
    const link = ['-nostdlib', '-static', '-no-pie', '-Wl,--gc-sections', '-Wl,--build-id=none'];
    const layout = ['-Wl,-z,max-page-size=4096', '-Wl,--no-warn-rwx-segments'];
    const [app, elf, image] = ['o', 'elf', 'img'].map((ending) => `${OUT}/guest.${ending}`);
    const headers = [`-I${LIB}/include`, '-Itest/xen/apps'];
    const source = 'test/xen/apps/linux-blocking.c';
    await arm64('gcc', [...compile, ...headers, '-c', source, '-o', app!]);
    const script = `-Wl,-T,${LIB}/arm64/guest.ld`;
    const library = [`-L${LIB}/arm64`, '-lpvcalls-metal'];
    await arm64('gcc', [...link, ...layout, script, app!, ...library, '-o', elf!]);
    await arm64('objcopy', ['-O', 'binary', elf!, image!]);
    const { size } = statSync(ROOT + image!);
    console.log(`${size} bytes of image`);
    expect(size).toBeGreaterThan(16 * 1024);
    expect(size).toBeLessThanOrEqual(64 * 1024);
  });
});
