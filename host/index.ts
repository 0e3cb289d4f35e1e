/**
 * What `import 'pvcalls'` gives: the simulated Xen, the backend on real sockets, and guests whose
 * frontend is the WebAssembly core.
 */
export * from './machine/index.js';
export * from './backend/index.js';
export { createGuest, type GuestOptions } from './net/create-guest.js';
export type { Guest } from './net/guest.js';
export type { GuestCounters } from './net/scratch.js';
export type { ConnectOptions, CoreOptions, DeviceState, ListenOptions } from './net/options.js';
export type { GuestSocket, Window } from './net/socket.js';
export type { GuestListener } from './net/listener.js';
export type { GuestStream, GuestStreamOptions } from './net/stream.js';
export type { Address } from './net/address.js';
export { PeerFaultError, type CallError } from './core/errors.js';
export { instantiateCore, loadCore } from './core/load.js';
export type { CoreExports, CoreHypercalls } from './core/exports.js';
