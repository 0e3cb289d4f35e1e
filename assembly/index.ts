/**
 * The ABI: what an embedder calls, and nothing else. docs/abi.md describes every export.
 * One call at a time per instance. Nothing blocks, spins or reads a clock.
 */
export { abiVersion as abi_version } from './pvcalls/abi';
export {
  counters,
  handleEvent as handle_event,
  handleTimeout as handle_timeout,
  handleUpcall as handle_upcall,
  init,
  pollEvent as poll_event,
  pollTimeout as poll_timeout,
} from './pvcalls/instance';

// The device: through xenstore, or offered by an embedder that carries the news itself.
export {
  attachConnected as attach_connected,
  attachDetached as attach_detached,
  attachOffer as attach_offer,
  attachPort as attach_port,
  storeBuffer as store_buffer,
  storeRequest as store_request,
  xenbusStart as xenbus_start,
  xenbusStop as xenbus_stop,
} from './pvcalls/abi';

// Sockets.
export {
  acceptSocket as accept,
  bindSocket as bind,
  connectSocket as connect,
  listenSocket as listen,
  openSocket as socket,
  pollSocket as poll,
  setRingOrder as set_ring_order,
} from './pvcalls/calls';
export { abort, close } from './pvcalls/abi';
export {
  recv,
  recvCommit as recv_commit,
  recvv,
  recvWindow as recv_window,
  send,
  sendCommit as send_commit,
  sendv,
  sendWindow as send_window,
} from './pvcalls/stream';
