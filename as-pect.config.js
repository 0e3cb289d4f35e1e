import { createFakeXen } from './test/assembly/fake-hypercalls.js';

/** As "initialMemory" and "maximumMemory" of as-pect.asconfig.json. */
const MEMORY = { initial: 320, maximum: 65536, shared: true };

/**
 * Specs of the core. A spec and the core are one module, compiled for debugging. Its own data and
 * heap start at 16 MiB ("memoryBase"), so a spec may use everything below for frames.
 */
export default {
  entries: ['test/assembly/**/*.spec.ts'],
  include: [],
  disclude: [/node_modules/],
  instantiate(_memory, createImports, instantiate, binary) {
    const memory = new WebAssembly.Memory(MEMORY);
    return instantiate(binary, createImports({ env: { memory }, ...createFakeXen(memory) }));
  },
  outputBinary: false,
};
