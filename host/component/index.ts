/**
 * What `import 'pvcalls/component'` gives: the core as a WebAssembly component, through bindings
 * that jco made of it, with its memory in the embedder's hands. docs/component.md.
 *
 * A component hides its memory, and grants are pages of that memory. jco lets the embedder
 * instantiate the core modules of a component itself, so the memory is taken from there.
 */
import { readFile } from 'node:fs/promises';
import { ABI_VERSION } from '../../assembly/wire/abi.js';
import type * as Bindings from '../../build/component/pvcalls.js';
import type * as FrontendInterface from '../../build/component/interfaces/xen-pvcalls-frontend.js';
import type { CoreHypercalls } from '../core/exports.js';

/** The exports of docs/abi.md, as the WIT names and types them. */
export type Frontend = typeof FrontendInterface;
export type { CoreHypercalls } from '../core/exports.js';

export interface ComponentOptions {
  /** What the component calls. Looked up at each call, so it may be filled in until `init`. */
  hypercalls: CoreHypercalls;
  /** Size of the component's memory, fixed from then on. Default 64. */
  memoryMiB?: number;
}

export interface ComponentFrontend {
  readonly frontend: Frontend;
  /** The component's own: not shared, all zero, and laid out by the embedder. */
  readonly memory: WebAssembly.Memory;
}

const PAGES_PER_MIB = 16;
const MEMORY_MIB_MAX = 4095;

let loading: Promise<{ bindings: typeof Bindings; module: WebAssembly.Module }> | undefined;

/**
 * A new instance of the component. Throws a RangeError for a size that cannot be; rejects when
 * build/component is missing.
 */
export async function createComponentFrontend(
  options: ComponentOptions,
): Promise<ComponentFrontend> {
  const { hypercalls, memoryMiB = 64 } = options;
  if (!Number.isInteger(memoryMiB) || memoryMiB < 1 || memoryMiB > MEMORY_MIB_MAX) {
    const remedy = `give an integer from 1 to ${MEMORY_MIB_MAX}`;
    throw new RangeError(`createComponentFrontend: memoryMiB is ${memoryMiB}; ${remedy}`);
  }
  loading ??= load();
  const { bindings, module } = await loading;
  let memory: WebAssembly.Memory | undefined;
  const { frontend } = bindings.instantiate(
    () => module,
    { 'xen:pvcalls/hypercalls': importsOf(hypercalls) },
    (core, imports) => {
      const instance = new WebAssembly.Instance(core, imports as WebAssembly.Imports);
      memory = instance.exports['memory'] as WebAssembly.Memory;
      return instance;
    },
  );
  if (memory === undefined || frontend.abiVersion() !== ABI_VERSION) {
    throw new Error('createComponentFrontend: the component is of another version; rebuild');
  }
  // Once, before anybody has a view of it: growing detaches views.
  memory.grow(memoryMiB * PAGES_PER_MIB - memory.buffer.byteLength / 65536);
  return { frontend, memory };
}

/** Both files are found relative to this one, in the sources as in the bundle: two folders deep. */
async function load() {
  const folder = new URL('../../build/component/', import.meta.url);
  try {
    const [bindings, core] = await Promise.all([
      import(/* @vite-ignore */ new URL('pvcalls.js', folder).href),
      readFile(new URL('pvcalls.core.wasm', folder)),
    ]);
    return {
      bindings: bindings as typeof Bindings,
      module: await WebAssembly.compile(core),
    };
  } catch (cause) {
    throw new Error(
      `createComponentFrontend: ${folder.pathname} cannot be read; run "npm run build"`,
      { cause },
    );
  }
}

function importsOf(hypercalls: CoreHypercalls): Bindings.ImportObject['xen:pvcalls/hypercalls'] {
  return {
    evtchnAllocUnbound: (remote) => hypercalls.evtchn_alloc_unbound(remote),
    evtchnSend: (port) => hypercalls.evtchn_send(port),
    evtchnMask: (port) => hypercalls.evtchn_mask(port),
    evtchnUnmask: (port) => hypercalls.evtchn_unmask(port),
    evtchnClose: (port) => hypercalls.evtchn_close(port),
    gnttabGrantAccess: (remote, frame, readonly) =>
      hypercalls.gnttab_grant_access(remote, frame, readonly),
    gnttabEndAccess: (ref) => hypercalls.gnttab_end_access(ref),
  };
}
