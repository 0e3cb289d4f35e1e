/**
 * fake-hypercalls.js once more, in AssemblyScript: the self-test has it in the place of
 * assembly/hypercalls.ts and of test/assembly/fake.ts, where every function is explained.
 */
const ENOENT: i32 = 2;
const EBUSY: i32 = 16;
const EINVAL: i32 = 22;
const ENOSPC: i32 = 28;

class Port {
  constructor(readonly remote: u32) {}
}

class Grant {
  busy: bool = false;

  constructor(
    readonly remote: u32,
    readonly frame: u32,
    readonly readonly: bool,
  ) {}
}

/** Numbers in a fixed order with gaps; those given back are reused when it has run out. */
class Sequence {
  free: i32[] = [];

  constructor(
    public next: i32,
    readonly step: i32,
    readonly end: i32,
  ) {}

  take(): i32 {
    if (this.next >= this.end) return this.free.length > 0 ? this.free.shift() : -ENOSPC;
    this.next += this.step;
    return this.next - this.step;
  }
}

let ports: Map<u32, Port> = new Map();
let masked: Set<u32> = new Set();
let portNumbers: Sequence = new Sequence(9, 7, 1024);
let grants: Map<u32, Grant> = new Map();
let refs: Sequence = new Sequence(41, 13, 32768);
let sent: Map<u32, i32> = new Map();
let watchedAddress: Map<u32, usize> = new Map();
let watchedValue: Map<u32, u32> = new Map();
let sharedInfo: usize = 0;
let pendingAt: usize = 0;
let maskAt: usize = 0;
let allowed: i32 = -1;
let calls: i32 = 0;
let violations: i32 = 0;
let broken: u32 = 0;

/** From now on a grant names the frame beside the one that it was made for. */
export function breakGrants(): void {
  broken = 1;
}

function refuse(error: i32): i32 {
  violations += 1;
  return -error;
}

/** Takes a number unless fake_fail_after() has run out. */
function allocate(sequence: Sequence): i32 {
  if (allowed == 0) return -ENOSPC;
  if (allowed > 0) allowed -= 1;
  return sequence.take();
}

export function evtchn_alloc_unbound(remote: u32): u32 {
  calls += 1;
  const port = allocate(portNumbers);
  if (port < 0) return port;
  ports.set(port, new Port(remote));
  sent.set(port, 0);
  if (sharedInfo != 0) setBit(pendingAt, port, false);
  return port;
}

export function evtchn_send(port: u32): i32 {
  calls += 1;
  if (!ports.has(port)) return refuse(EINVAL);
  if (watchedAddress.has(port)) watchedValue.set(port, load<u32>(watchedAddress.get(port)));
  sent.set(port, (sent.has(port) ? sent.get(port) : 0) + 1);
  return 0;
}

export function evtchn_mask(port: u32): i32 {
  calls += 1;
  return setMask(port, true);
}

export function evtchn_unmask(port: u32): i32 {
  calls += 1;
  return setMask(port, false);
}

function setMask(port: u32, on: bool): i32 {
  if (!ports.has(port)) return refuse(EINVAL);
  if (on) masked.add(port);
  else masked.delete(port);
  if (sharedInfo == 0) return 0;
  setBit(maskAt, port, on);
  if (!on && bit(pendingAt, port)) upcall(port);
  return 0;
}

export function evtchn_close(port: u32): i32 {
  calls += 1;
  if (!ports.delete(port)) return refuse(EINVAL);
  if (sharedInfo != 0) setBit(pendingAt, port, false);
  portNumbers.free.push(port);
  return 0;
}

export function gnttab_grant_access(remote: u32, frame: u32, readonly: u32): u32 {
  calls += 1;
  if (frame == 0) return refuse(EINVAL);
  const ref = allocate(refs);
  if (ref >= 0) grants.set(ref, new Grant(remote, frame + broken, readonly != 0));
  return ref;
}

export function gnttab_end_access(ref: u32): i32 {
  calls += 1;
  if (!grants.has(ref)) return refuse(ENOENT);
  if (grants.get(ref).busy) return -EBUSY;
  grants.delete(ref);
  refs.free.push(ref);
  return 0;
}

function upcall(port: u32): void {
  const word = port >> 6;
  const at = sharedInfo + 8 + (word >> 3); // evtchn_pending_sel
  store<u8>(at, load<u8>(at) | (<u8>((<u32>1) << (word & 7))));
  store<u8>(sharedInfo, 1); // evtchn_upcall_pending
}

function bit(map: usize, port: u32): bool {
  return ((load<u8>(map + (port >> 3)) >> (port & 7)) & 1) != 0;
}

function setBit(map: usize, port: u32, on: bool): void {
  const at = map + (port >> 3);
  const mask = <u8>((<u32>1) << (port & 7));
  store<u8>(at, on ? load<u8>(at) | mask : load<u8>(at) & ~mask);
}

export function fake_reset(): void {
  ports = new Map();
  masked = new Set();
  portNumbers = new Sequence(9, 7, 1024);
  grants = new Map();
  refs = new Sequence(41, 13, 32768);
  sent = new Map();
  watchedAddress = new Map();
  watchedValue = new Map();
  sharedInfo = 0;
  allowed = -1;
  calls = 0;
  violations = 0;
}

export function fake_fail_after(count: i32): void {
  allowed = count;
}

export function fake_set_busy(ref: u32, busy: bool): void {
  grants.get(ref).busy = busy;
}

export function fake_grants(): i32 {
  return grants.size;
}

export function fake_grant_at(index: i32): i32 {
  return index < grants.size ? grants.keys()[index] : -1;
}

export function fake_ref_of(frame: u32): i32 {
  const keys = grants.keys();
  for (let i = 0; i < keys.length; i++) if (grants.get(keys[i]).frame == frame) return keys[i];
  return -1;
}

export function fake_frame_of(ref: u32): i32 {
  return grants.has(ref) ? grants.get(ref).frame : -1;
}

export function fake_grantee_of(ref: u32): i32 {
  return grants.has(ref) ? grants.get(ref).remote : -1;
}

export function fake_is_readonly(ref: u32): i32 {
  return grants.has(ref) ? i32(grants.get(ref).readonly) : -1;
}

export function fake_ports(): i32 {
  return ports.size;
}

export function fake_port_at(index: i32): i32 {
  return index < ports.size ? ports.keys()[index] : -1;
}

export function fake_remote_of(port: u32): i32 {
  return ports.has(port) ? ports.get(port).remote : -1;
}

export function fake_is_masked(port: u32): i32 {
  return i32(masked.has(port));
}

export function fake_masked(): i32 {
  return masked.size;
}

export function fake_sent(port: u32): i32 {
  return sent.has(port) ? sent.get(port) : 0;
}

export function fake_sent_total(): i32 {
  const counts = sent.values();
  let sum = 0;
  for (let i = 0; i < counts.length; i++) sum += counts[i];
  return sum;
}

export function fake_forget_sent(): void {
  sent.clear();
}

export function fake_watch_at_send(port: u32, address: usize): void {
  watchedAddress.set(port, address);
  watchedValue.set(port, 0);
}

export function fake_seen_at_send(port: u32): u32 {
  return watchedValue.has(port) ? watchedValue.get(port) : 0;
}

export function fake_shared_info(address: usize, arm64: bool): void {
  sharedInfo = address;
  pendingAt = address + (arm64 ? 48 : 2048);
  maskAt = address + (arm64 ? 560 : 2560);
}

export function fake_raise(port: u32): void {
  if (sharedInfo == 0 || !ports.has(port)) unreachable();
  setBit(pendingAt, port, true);
  if (!bit(maskAt, port)) upcall(port);
}

export function fake_calls(): i32 {
  return calls;
}

export function fake_violations(): i32 {
  return violations;
}
