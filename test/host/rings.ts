/**
 * Asks the core's ring arithmetic (test/assembly/rings-entry.ts) the questions that
 * test/vectors/ring-macros.c answers with Xen's macros: `what a b c d`, all u32.
 */
import { readFileSync } from 'node:fs';

const DATA = 65536;
const BYTES = 3 << 20;
const FLEX_RING_SHIFT = 11;

type Core = Record<string, (...numbers: number[]) => number>;

const memory = new WebAssembly.Memory({ initial: 65, maximum: 65536, shared: true });
const binary = readFileSync(new URL('../../build/test/rings.wasm', import.meta.url));
const { exports } = new WebAssembly.Instance(new WebAssembly.Module(binary), { env: { memory } });
const core = exports as unknown as Core;
const bytes = new Uint8Array(memory.buffer);

function call(name: string, ...numbers: number[]): number {
  return core[name]!(...numbers) >>> 0;
}

/** As in ring-macros.c. */
const pattern = (index: number): number => (index * 31 + (index >>> 8) * 7 + 1) & 0xff;

function fnv1a(from: number, size: number): number {
  let hash = 2166136261;
  for (let at = from; at < from + size; at++) hash = Math.imul(hash ^ bytes[at]!, 16777619);
  return hash >>> 0;
}

function fillWithPattern(from: number, size: number): void {
  for (let index = 0; index < size; index++) bytes[from + index] = pattern(index);
}

const orderOf = (size: number): number => Math.log2(size) - FLEX_RING_SHIFT;

function write([prod, , size, count]: number[]): string {
  bytes.fill(0, DATA, DATA + 2 * size!);
  fillWithPattern(BYTES, count!);
  const out = call('write_packet', prod!, orderOf(size!), BYTES, count!);
  return `${fnv1a(out, size!)} ${(call('out_prod') & (size! - 1)) >>> 0}`;
}

function read([, cons, size, count]: number[]): string {
  fillWithPattern(DATA, size!);
  call('read_packet', cons!, orderOf(size!), BYTES, count!);
  return `${fnv1a(BYTES, count!)} ${(call('in_cons') & (size! - 1)) >>> 0}`;
}

const ANSWERS: Record<string, (numbers: number[]) => string> = {
  push: ([before, after, event]) => {
    const notify = call('push', before!, after!, event!);
    if (call('serial_crossed', before!, after!, event!) !== notify) return 'crossed() disagrees';
    return `${notify} ${call('req_prod')}`;
  },
  final: ([rspProd, rspCons]) => `${call('final_check', rspProd!, rspCons!)} ${call('rsp_event')}`,
  front: ([reqProdPvt, rspCons, rspProd]) => {
    const slots = call('free_requests', 0, 0);
    const free = call('free_requests', reqProdPvt!, rspCons!);
    return `${slots} ${free} ${call('response_overflow', rspCons!, rspProd!)}`;
  },
  queued: ([prod, cons, size]) => {
    const queued = call('queued_in', prod!, cons!, orderOf(size!));
    const out = call('queued_out', prod!, cons!, orderOf(size!));
    return out === queued ? `${queued}` : `in ${queued}, out ${out}`;
  },
  size: ([order]) => `${call('flex_ring_size', order!)}`,
  write,
  read,
};

export function askCore(question: string): string {
  const [what, ...numbers] = question.split(' ');
  return ANSWERS[what!]!(numbers.map(Number));
}
