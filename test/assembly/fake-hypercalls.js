/**
 * A little deterministic Xen under the specs of the core: what one guest sees of it.
 *
 * It supplies the imports of assembly/hypercalls.ts (module `hypercalls`), and those of
 * test/assembly/fake.ts (module `fake`), by which a spec steers it and reads what the core did.
 * The spec itself plays the peer: it reads and writes the granted frames directly.
 *
 * - Ports and references come in a fixed sequence with gaps, so that a core which guesses that they
 *   are contiguous, or keeps a slot number in their place, fails. Both are used again, last of all.
 * - A refused call answers as Xen does and counts as a violation. Being out of grants or ports,
 *   and -EBUSY, are no violations: the core could not know.
 * - Nothing happens by itself: no upcall, no unmap, no reply.
 */

const ENOENT = 2;
const EBUSY = 16;
const EINVAL = 22;
const ENOSPC = 28;

const LAYOUTS = {
  arm64: { pending: 48, mask: 560 },
  x86_64: { pending: 2048, mask: 2560 },
};

/** Numbers in a fixed order with gaps; those given back are reused when it has run out. */
class Sequence {
  constructor(first, step, end) {
    Object.assign(this, { next: first, step, end, free: [] });
  }

  take() {
    if (this.next >= this.end) return this.free.shift() ?? -ENOSPC;
    this.next += this.step;
    return this.next - this.step;
  }

  giveBack(number) {
    this.free.push(number);
  }
}

/** Ports, grants and counters of the guest. */
class FakeXen {
  constructor(memory) {
    this.memory = memory;
    this.reset();
  }

  reset() {
    this.ports = new Map(); // port -> { remote }
    this.masked = new Set(); // ports; as in Xen, a mask outlives its port
    this.portNumbers = new Sequence(9, 7, 1024);
    this.grants = new Map(); // ref -> { remote, frame, readonly, busy }
    this.refs = new Sequence(41, 13, 32768);
    this.sent = new Map(); // port -> count
    this.watched = new Map(); // port -> { address, value }
    this.sharedInfo = undefined;
    this.allowed = -1;
    this.calls = 0;
    this.violations = 0;
  }

  refuse(error) {
    this.violations++;
    return -error;
  }

  /** Takes a number unless fake_fail_after() has run out. */
  allocate(sequence) {
    if (this.allowed === 0) return -ENOSPC;
    if (this.allowed > 0) this.allowed--;
    return sequence.take();
  }

  openPort(remote) {
    const port = this.allocate(this.portNumbers);
    if (port < 0) return port;
    this.ports.set(port, { remote });
    this.sent.set(port, 0);
    if (this.sharedInfo) this.setBit('pending', port, false);
    return port;
  }

  send(port) {
    if (!this.ports.has(port)) return this.refuse(EINVAL);
    const watch = this.watched.get(port);
    if (watch) watch.value = new DataView(this.memory.buffer).getUint32(watch.address, true);
    this.sent.set(port, (this.sent.get(port) ?? 0) + 1);
    return 0;
  }

  setMask(port, masked) {
    if (!this.ports.has(port)) return this.refuse(EINVAL);
    if (masked) this.masked.add(port);
    else this.masked.delete(port);
    if (this.sharedInfo) {
      this.setBit('mask', port, masked);
      if (!masked && this.bit('pending', port)) this.upcall(port);
    }
    return 0;
  }

  closePort(port) {
    if (!this.ports.delete(port)) return this.refuse(EINVAL);
    if (this.sharedInfo) this.setBit('pending', port, false);
    this.portNumbers.giveBack(port);
    return 0;
  }

  grant(remote, frame, readonly) {
    if (frame === 0) return this.refuse(EINVAL);
    const ref = this.allocate(this.refs);
    if (ref >= 0) this.grants.set(ref, { remote, frame, readonly: readonly !== 0, busy: false });
    return ref;
  }

  endAccess(ref) {
    const grant = this.grants.get(ref);
    if (!grant) return this.refuse(ENOENT);
    if (grant.busy) return -EBUSY;
    this.grants.delete(ref);
    this.refs.giveBack(ref);
    return 0;
  }

  /** The peer's notification, as Xen sets it in shared_info. */
  raise(port) {
    if (!this.sharedInfo) throw new Error('fake_raise needs fake_shared_info first');
    if (!this.ports.has(port)) throw new Error(`fake_raise: port ${port} is not open`);
    this.setBit('pending', port, true);
    if (!this.bit('mask', port)) this.upcall(port);
  }

  upcall(port) {
    const bytes = new Uint8Array(this.memory.buffer, this.sharedInfo.address);
    const word = port >>> 6;
    Atomics.or(bytes, 8 + (word >>> 3), 1 << (word & 7)); // evtchn_pending_sel
    Atomics.store(bytes, 0, 1); // evtchn_upcall_pending
  }

  bit(field, port) {
    const { address, layout } = this.sharedInfo;
    const byte = new Uint8Array(this.memory.buffer)[address + layout[field] + (port >>> 3)];
    return ((byte >>> (port & 7)) & 1) === 1;
  }

  setBit(field, port, on) {
    const { address, layout } = this.sharedInfo;
    const bytes = new Uint8Array(this.memory.buffer);
    const at = address + layout[field] + (port >>> 3);
    if (on) Atomics.or(bytes, at, 1 << (port & 7));
    else Atomics.and(bytes, at, ~(1 << (port & 7)));
  }
}

/** The functions of assembly/hypercalls.ts. Each call is counted. */
function hypercalls(xen) {
  const counted = (call) =>
    function () {
      xen.calls++;
      return call(...Array.from(arguments, (value) => value >>> 0));
    };
  return {
    evtchn_alloc_unbound: counted((remote) => xen.openPort(remote)),
    evtchn_send: counted((port) => xen.send(port)),
    evtchn_mask: counted((port) => xen.setMask(port, true)),
    evtchn_unmask: counted((port) => xen.setMask(port, false)),
    evtchn_close: counted((port) => xen.closePort(port)),
    gnttab_grant_access: counted((remote, frame, readonly) => xen.grant(remote, frame, readonly)),
    gnttab_end_access: counted((ref) => xen.endAccess(ref)),
  };
}

/** Keys of a map in the order of their making; -1 past the last. */
const keyAt = (map, index) => [...map.keys()][index] ?? -1;

/** The functions of test/assembly/fake.ts that read. */
function readers(xen) {
  return {
    fake_grants: () => xen.grants.size,
    fake_grant_at: (index) => keyAt(xen.grants, index),
    fake_ref_of: (frame) => [...xen.grants].find(([, grant]) => grant.frame === frame)?.[0] ?? -1,
    fake_frame_of: (ref) => xen.grants.get(ref)?.frame ?? -1,
    fake_grantee_of: (ref) => xen.grants.get(ref)?.remote ?? -1,
    fake_is_readonly: (ref) => Number(xen.grants.get(ref)?.readonly ?? -1),
    fake_ports: () => xen.ports.size,
    fake_port_at: (index) => keyAt(xen.ports, index),
    fake_remote_of: (port) => xen.ports.get(port)?.remote ?? -1,
    fake_is_masked: (port) => Number(xen.masked.has(port)),
    fake_masked: () => xen.masked.size,
    fake_sent: (port) => xen.sent.get(port) ?? 0,
    fake_sent_total: () => [...xen.sent.values()].reduce((sum, count) => sum + count, 0),
    fake_seen_at_send: (port) => xen.watched.get(port)?.value ?? 0,
    fake_calls: () => xen.calls,
    fake_violations: () => xen.violations,
  };
}

/** The functions of test/assembly/fake.ts that steer. */
function levers(xen) {
  return {
    fake_reset: () => xen.reset(),
    fake_fail_after: (count) => {
      xen.allowed = count;
    },
    fake_set_busy: (ref, busy) => {
      const grant = xen.grants.get(ref);
      if (!grant) throw new Error(`fake_set_busy: reference ${ref} is not granted`);
      grant.busy = busy !== 0;
    },
    fake_forget_sent: () => xen.sent.clear(),
    fake_watch_at_send: (port, address) => xen.watched.set(port, { address, value: 0 }),
    fake_shared_info: (address, arm64) => {
      xen.sharedInfo = { address, layout: arm64 ? LAYOUTS.arm64 : LAYOUTS.x86_64 };
    },
    fake_raise: (port) => xen.raise(port),
  };
}

/** @param {WebAssembly.Memory} memory The memory of the spec. */
export function createFakeXen(memory) {
  const xen = new FakeXen(memory);
  return { hypercalls: hypercalls(xen), fake: { ...readers(xen), ...levers(xen) } };
}
