/**
 * For each line of the hardening list the core without its defence: one edit of assembly/ that
 * takes out exactly that. The tests of the line must go red with it (mutants.test.ts).
 * Where a line has several defences it has several mutants.
 */
import { DEVICE_MUTANTS } from './device-mutants.js';
import type { Mutant } from './mutant.js';
import { RING_MUTANTS } from './ring-mutants.js';

export type { Mutant } from './mutant.js';

export const MUTANTS: readonly Mutant[] = [...RING_MUTANTS, ...DEVICE_MUTANTS];
