/**
 * The self-test of the core (test/assembly/self-test): every spec of the core, with a Xen, a
 * backend and a store inside the module. The same module runs in V8 and in wasmtime: wizer, which
 * jco brings, is wasmtime; it calls one function of a module and saves what memory is like then.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { describe, expect, it } from 'vitest';

import { shapeOf } from './wasm-shape.js';
import { sources } from './sources.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const WIZER = `${ROOT}node_modules/@bytecodealliance/wizer/wizer.js`;
const COMPONENT = `${ROOT}build/test/self-test.wasm`;
const SHARED = `${ROOT}build/test/self-test-shared.wasm`;
/** As "initialMemory" of asconfig.json. */
const MEMORY = { initial: 320, maximum: 65536, shared: true };

interface SelfTest {
  _initialize(): void;
  run(): void;
  run_broken(): void;
  passed(): number;
  running(): number;
  running_size(): number;
  checks(): number;
  memory?: WebAssembly.Memory;
}

/** Specs of the core, as they stand in the sources. */
const specs = sources(/^test\/assembly\/.*\.spec\.ts$/).flatMap(
  ({ text }) => text.match(/^ *it\(/gm) ?? [],
).length;

function instantiate(path: string): { test: SelfTest; spec: () => string } {
  const module = new WebAssembly.Module(readFileSync(path));
  const imported = new WebAssembly.Memory(MEMORY);
  const { exports } = new WebAssembly.Instance(module, { env: { memory: imported } });
  const test = exports as unknown as SelfTest;
  const spec = (): string => {
    const { buffer } = test.memory ?? imported;
    const name = Buffer.from(buffer, test.running() >>> 0, test.running_size());
    return `${name.toString('utf16le')}, expectation ${test.checks()}`;
  };
  return { test, spec };
}

/** Runs the self-test in V8. Result: specs that passed. Throws with the name of one that fails. */
function inV8(path: string, name: 'run' | 'run_broken'): number {
  const { test, spec } = instantiate(path);
  test._initialize();
  try {
    test[name]();
  } catch (cause) {
    throw new Error(`self-test: ${spec()}`, { cause });
  }
  return test.passed();
}

/** The same in wasmtime. Rejects with wasmtime's own account of the trap. */
async function inWasmtime(path: string, name: 'run' | 'run_broken'): Promise<number> {
  const folder = mkdtempSync(`${tmpdir()}/pvcalls-self-test-`);
  const snapshot = `${folder}/snapshot.wasm`;
  const flags = [`--init-func=${name}`, '--wasm-bulk-memory=true', '-o', snapshot];
  try {
    await promisify(execFile)(process.execPath, [WIZER, path, ...flags]);
    return instantiate(snapshot).test.passed();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('the self-test', () => {
  it('imports nothing, so that any engine can run it', async () => {
    const { imports } = await shapeOf(readFileSync(COMPONENT));
    expect([...imports]).toEqual([]);
  });

  it('is with and without threads as the two builds of the core are', async () => {
    const [component, shared] = [readFileSync(COMPONENT), readFileSync(SHARED)];
    const atomic = [...(await shapeOf(component)).instructions.keys()].join().includes('atomic');
    expect(atomic).toBe(false);
    expect((await shapeOf(shared)).instructions.get('i32.atomic.load') ?? 0).toBeGreaterThan(0);
  });

  it.each([
    ['as in the component', COMPONENT],
    ['with threads and shared memory', SHARED],
  ])('passes in V8, %s', (_how, path) => {
    expect(specs).toBeGreaterThan(0);
    expect(inV8(path, 'run')).toBeGreaterThanOrEqual(specs);
  });

  it('passes in wasmtime', async () => {
    expect(await inWasmtime(COMPONENT, 'run')).toBeGreaterThanOrEqual(specs);
  });
});

describe('the self-test on a Xen whose grants name the wrong frames', () => {
  it.each([COMPONENT, SHARED])('fails in V8 and says where', (path) => {
    expect(() => inV8(path, 'run_broken')).toThrow(/\.spec\.ts > .* > .*, expectation [1-9]/);
  });

  it('fails in wasmtime, for the same reason', async () => {
    await expect(inWasmtime(COMPONENT, 'run_broken')).rejects.toThrow(
      /`run_broken` function trapped[^]*runSpecs[^]*`unreachable` instruction executed/,
    );
  });
});
