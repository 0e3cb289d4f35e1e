/**
 * The self-test: the core, a Xen, a backend and a store in one module that imports nothing, and the
 * specs of the core to play them. An engine that runs this right runs the core right.
 * Specs register themselves when the module starts; they and this file are its entries.
 */
import { breakGrants } from './xen';

/** Runs every spec; a trap is a failure. */
export function run(): void {
  runSpecs();
}

/** The same with a Xen whose grants name the wrong frame: must trap, or `run` says nothing. */
export function run_broken(): void {
  breakGrants();
  runSpecs();
}

/** Specs that passed. */
export function passed(): i32 {
  return passedSpecs();
}

/** The spec that ran last: address of its name in UTF-16, and its size in bytes. */
export function running(): usize {
  return changetype<usize>(runningSpec());
}

export function running_size(): i32 {
  return runningSpec().length << 1;
}

/** How many of its expectations were looked at; the last of them failed, if `run` trapped there. */
export function checks(): i32 {
  return runningChecks();
}
