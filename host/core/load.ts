/**
 * Loading core.wasm. The file is found relative to this one, in the sources as in the bundle: both
 * lie two folders deep.
 */
import { readFile } from 'node:fs/promises';
import { ABI_VERSION } from '../../assembly/wire/abi.js';
import type { CoreExports, CoreHypercalls } from './exports.js';

let compiled: Promise<WebAssembly.Module> | undefined;

/** The compiled core, once per thread. Rejects when build/core.wasm is missing. */
export function loadCore(): Promise<WebAssembly.Module> {
  compiled ??= compile();
  return compiled;
}

async function compile(): Promise<WebAssembly.Module> {
  const url = new URL('../../build/core.wasm', import.meta.url);
  try {
    return await WebAssembly.compile(await readFile(url));
  } catch (cause) {
    throw new Error(`loadCore: ${url.pathname} cannot be read; run "npm run build"`, { cause });
  }
}

/** A new instance over `memory`; its state is in the arena that init() is given. */
export function instantiateCore(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  hypercalls: CoreHypercalls,
): CoreExports {
  const imports = { env: { memory }, hypercalls: { ...hypercalls } };
  const instance = new WebAssembly.Instance(module, imports);
  const core = instance.exports as unknown as CoreExports;
  const version = core.abi_version();
  if (version !== ABI_VERSION) {
    throw new Error(
      `loadCore: core.wasm has ABI ${version}, the host ${ABI_VERSION}; rebuild both`,
    );
  }
  return core;
}
