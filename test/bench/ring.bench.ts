/**
 * The core's byte ring against the same ring in C with Xen's macros (ring.c), on one thread and on
 * two: the loops run inside the wasm (test/assembly/ring-loops.ts), and both publish every chunk
 * with a sequentially consistent store.
 */
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { startCRing } from './c-ring.js';
import { fastest, measure, printMachine } from './rounds.js';

const RING_ORDER = 7; // 256 KiB each way, as in ring.c
const DATA = 65536;
const FROM = DATA + (2 << (RING_ORDER + 11));
const TO = FROM + 65536;
const PAGES = (TO >>> 16) + 1;
/** Bytes per run, but no more chunks than this: less than a millisecond. */
const BYTES = 16 << 20;
const CHUNKS_MAX = 20_000;
const BUILD = new URL('../../build/', import.meta.url);

/** The optimised code at once: how soon V8 has it is not what is measured. */
setFlagsFromString('--no-liftoff');

interface Loops {
  loop_init(order: number): void;
  loop(ends: number, from: number, to: number, size: number, chunks: number): void;
}

const WRITES = 1;
const READS = 2;

/** Words by which the writing thread is told what to do. */
const TURN = 0; //   counts up: there is work
const READY = 1; //  the turn that the writer has begun
const SIZE = 2;
const CHUNKS = 3;

function instantiate(memory: WebAssembly.Memory): Loops {
  const binary = readFileSync(new URL('test/loops.wasm', BUILD));
  const module = new WebAssembly.Module(binary);
  return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Loops;
}

/** The worker: sleeps until its turn, then writes. */
function serve(memory: WebAssembly.Memory, words: Int32Array): void {
  const loops = instantiate(memory);
  for (let turn = 1; ; turn++) {
    Atomics.wait(words, TURN, turn - 1);
    Atomics.store(words, READY, turn);
    loops.loop(WRITES, FROM, TO, words[SIZE]!, words[CHUNKS]!);
  }
}

const textOf = (size: number): string => (size < 1024 ? `${size} B` : `${size >>> 10} KiB`);

/** Of two threads, small chunks are a matter of who finds which line where: no aim. */
function aimOf(threads: 'one' | 'two', size: number): number | undefined {
  if (threads === 'two') return size >= 4096 ? 1 : undefined;
  return size >= 1024 ? 1 : 0.8;
}

async function main(): Promise<void> {
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: 65536, shared: true });
  const words = new Int32Array(new SharedArrayBuffer(16));
  const loops = instantiate(memory);
  const bytes = new Uint8Array(memory.buffer);
  for (let i = 0; i < 65536; i++) bytes[FROM + i] = (i * 31 + 1) & 0xff;
  const worker = new Worker(new URL(import.meta.url), { workerData: { memory, words } });

  /** Runs the loop on an empty ring. Result: nanoseconds. */
  const timed = (size: number, before: () => void, loop: () => void): number => {
    loops.loop_init(RING_ORDER);
    bytes.fill(0, TO, TO + size);
    before();
    const started = performance.now();
    loop();
    const ns = (performance.now() - started) * 1e6;
    for (let i = 0; i < size; i++) {
      if (bytes[TO + i] !== bytes[FROM + i]) throw new Error(`byte ${i} of ${size} is wrong`);
    }
    return ns;
  };
  const wakeWriter = (size: number, chunks: number) => (): void => {
    words[SIZE] = size;
    words[CHUNKS] = chunks;
    const turn = Atomics.add(words, TURN, 1) + 1;
    Atomics.notify(words, TURN);
    while (Atomics.load(words, READY) !== turn);
  };

  const both = (size: number, chunks: number): number =>
    timed(
      size,
      () => undefined,
      () => loops.loop(WRITES | READS, FROM, TO, size, chunks),
    );
  const reading = (size: number, chunks: number): number =>
    timed(size, wakeWriter(size, chunks), () => loops.loop(READS, FROM, TO, size, chunks));

  const c = startCRing(new URL('bench/ring', BUILD).pathname);
  printMachine();
  for (const [threads, ns] of [['one', both] as const, ['two', reading] as const]) {
    for (const size of [64, 256, 1024, 4096, 16384, 65536]) {
      const chunks = Math.min(CHUNKS_MAX, BYTES / size);
      const least = aimOf(threads, size);
      await measure({
        name: `ring, ${threads} thread${threads === 'two' ? 's' : ''}, ${textOf(size)}`,
        unit: 'GB/s',
        floor: async () => (size * chunks) / (await c.ask(threads, size, chunks)),
        value: () => (size * chunks) / fastest(() => ns(size, chunks)),
        ...(least !== undefined && { aim: { atLeast: least } }),
      });
    }
  }
  c.end();
  await worker.terminate();
}

if (isMainThread) await main();
else serve(workerData.memory as WebAssembly.Memory, workerData.words as Int32Array);
