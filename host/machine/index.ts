/** The simulated Xen: machines, domains, hypercalls, xenstored, and what the toolstack does. */
export { Machine, createMachine, openMachine } from './machine.js';
export type { Domain } from './domain.js';
export type { EventDispatcher } from './event-dispatcher.js';
export type { PortStatus } from './event-channels.js';
export type { GrantStatus } from './grant-tables.js';
export type { MachineCounters } from './thread-host.js';
export { LoopScheduler, type Scheduler } from './scheduler.js';
export { SeededScheduler, type RunLimits } from './seeded-scheduler.js';
export { Random, randomSeed } from './random.js';
export { attachPvcalls, detachPvcalls, type PvcallsDevice } from './toolstack.js';
export { StoreError, type StoreErrorCode } from './xenstored/errors.js';
export type { StoreClient, StoreTransaction } from './xenstored/client.js';
export type { XenStore } from './xenstored/store.js';
export type {
  Architecture,
  DomainOptions,
  Hypercalls,
  MachineHandle,
  MachineOptions,
} from './types.js';
