/** The PV Calls backend: everything a program needs to serve guests on real sockets. */
export { Backend, createBackend, type BackendOptions, type PolicyDecision } from './backend.js';
export type { CommandCount, RingCount } from './counters.js';
export type { RingLayout } from './data-ring.js';
export type { DeviceFault, DeviceInfo, SocketInfo } from './device.js';
export { errnoName, errnoOf } from './errors.js';
export { DEFAULT_QUOTAS, type Quotas } from './guest.js';
export type { DomainView, MachineView, StoreView } from './machine-view.js';
export { NodeSocketLayer } from './node-net.js';
export {
  allowAddresses,
  allowAll,
  denyAll,
  type AddressRule,
  type Policy,
  type PolicyCall,
  type Verdict,
} from './policy.js';
export type { CommandName } from './requests.js';
export type { BackendMode } from './rules.js';
export {
  echoScript,
  Peer,
  resetScript,
  ScriptedLayer,
  sinkScript,
  sourceScript,
  type PeerScript,
  type ScriptedOptions,
} from './scripted.js';
export type {
  InetAddress,
  Listener,
  PendingStream,
  SocketLayer,
  Stream,
  StreamSink,
} from './socket-layer.js';
