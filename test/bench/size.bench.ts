/** What the core takes: bytes of wasm, and bytes of arena for a socket that has no ring. */
import { statSync } from 'node:fs';
import { framesOf } from './polled-core.js';
import { measure, printMachine } from './rounds.js';

const FEW = 32;
const MANY = 4064;
const PAGE_SIZE = 4096;

printMachine();
await measure({
  name: 'core.wasm',
  unit: 'bytes',
  value: () => statSync(new URL('../core.wasm', import.meta.url)).size,
  aim: { valueAtMost: 16384 },
  exact: true,
});
await measure({
  name: 'arena per idle socket',
  unit: 'bytes',
  value: () => ((framesOf(FEW) - framesOf(MANY)) * PAGE_SIZE) / (MANY - FEW),
  aim: { valueAtMost: 256 },
  exact: true,
});
