/**
 * The core under attack: the release build, or the mutant that PVCALLS_HOSTILE_CORE names. This is
 * the only place that reads the variable, and nothing but these tests imports it.
 */
import { readFileSync } from 'node:fs';
import binaryen from 'binaryen';

const path = process.env['PVCALLS_HOSTILE_CORE'];
const binary = readFileSync(path ?? new URL('../../build/core.wasm', import.meta.url));
const release = new WebAssembly.Module(binary);
let watched: WebAssembly.Module | undefined;

export function releaseCore(): WebAssembly.Module {
  return release;
}

/**
 * The same binary with a call before each of its loads and stores, atomic or not: what the peer
 * does there happens between two accesses of the optimised core, on any page and not only where
 * the source knows of sharing. memory.copy and memory.fill are one step each.
 */
export function watchedCore(): WebAssembly.Module {
  if (watched !== undefined) return watched;
  const module = binaryen.readBinary(binary);
  module.setFeatures(binaryen.Features.All);
  module.runPasses(['instrument-memory', 'remove-unused-module-elements']);
  watched = new WebAssembly.Module(Uint8Array.from(module.emitBinary()));
  module.dispose();
  return watched;
}

/** Told of the address before a load or a store of the watched core. */
export type Watcher = (access: 'load' | 'store', address: number) => void;

/** What the watched core imports besides; the plain one ignores it. */
export function watchImports(watcher: Watcher): Record<string, (...args: never[]) => unknown> {
  const before =
    (access: 'load' | 'store') =>
    (_id: number, _size: number, offset: number, address: number): number => {
      watcher(access, (address + offset) >>> 0);
      return address;
    };
  const value = (_id: number, it: unknown): unknown => it;
  return {
    load_ptr: before('load'),
    store_ptr: before('store'),
    load_val_i32: value,
    load_val_i64: value,
    store_val_i32: value,
    store_val_i64: value,
  };
}
