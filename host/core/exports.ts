/** The exports of core.wasm as TypeScript sees them. docs/abi.md describes each. */
export interface CoreExports {
  abi_version(): number;
  init(config: number): number;
  handle_upcall(): void;
  handle_event(port: number): void;
  handle_timeout(nowMs: number): void;
  poll_event(event: number): number;
  poll_timeout(): number;
  counters(at: number): void;

  xenbus_start(): void;
  xenbus_stop(): void;
  store_buffer(): number;
  store_request(type: number, transaction: number, size: number): number;
  attach_offer(backend: number): number;
  attach_port(): number;
  attach_connected(maxPageOrder: number, features: number): void;
  attach_detached(): void;

  socket(domain: number, type: number, protocol: number): number;
  set_ring_order(handle: number, order: number): number;
  connect(handle: number, addr: number, size: number): number;
  bind(handle: number, addr: number, size: number): number;
  listen(handle: number, backlog: number): number;
  accept(handle: number): number;
  poll(handle: number): number;
  close(handle: number): number;
  abort(handle: number): number;

  send(handle: number, from: number, size: number): number;
  recv(handle: number, to: number, size: number, flags: number): number;
  sendv(handle: number, spans: number, count: number): number;
  recvv(handle: number, spans: number, count: number, flags: number): number;
  send_window(handle: number, spans: number): number;
  send_commit(handle: number, size: number): number;
  recv_window(handle: number, spans: number): number;
  recv_commit(handle: number, size: number): number;
}

/** What an embedder supplies: the functions of assembly/hypercalls.ts. */
export interface CoreHypercalls {
  evtchn_alloc_unbound(remote: number): number;
  evtchn_send(port: number): number;
  evtchn_mask(port: number): number;
  evtchn_unmask(port: number): number;
  evtchn_close(port: number): number;
  gnttab_grant_access(remote: number, frame: number, readonly: number): number;
  gnttab_end_access(ref: number): number;
}
