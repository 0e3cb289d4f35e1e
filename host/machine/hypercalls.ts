/**
 * The hypercalls of one domain, bound to it: plain own functions, so that the object serves as the
 * import object of a WebAssembly core. Arguments come from guests: any number is possible.
 * A domain that was destroyed gets -ESRCH, even when its domid lives again.
 */
import { EPERM, ESRCH } from '../../assembly/wire/errno.js';
import { DOMID_SELF } from '../../assembly/wire/grant-table.js';
import type { EventChannels } from './event-channels.js';
import type { GrantTables } from './grant-tables.js';
import { DOMAIN_GENERATION, type MachineState } from './machine-state.js';
import type { Hypercalls } from './types.js';

type Operation = (domid: number, a: number, b: number, c: number) => number;

export function bindHypercalls(
  state: MachineState,
  channels: EventChannels,
  grants: GrantTables,
  domid: number,
): Hypercalls {
  const { i32, lock } = state;
  const generationAt = state.domainRecord(domid) + DOMAIN_GENERATION;
  const generation = i32[generationAt]!;

  const direct =
    (operation: (domid: number, port: number) => number) =>
    (port: number): number =>
      i32[generationAt] === generation ? operation(domid, port >>> 0) : -ESRCH;

  const locked =
    (operation: Operation) =>
    (a: number, b = 0, c = 0): number => {
      lock.acquire();
      try {
        if (i32[generationAt] !== generation) return -ESRCH;
        return operation(domid, a >>> 0, b >>> 0, c >>> 0);
      } finally {
        lock.release();
      }
    };

  /** Whether the policy lets the two share anything. */
  const apart = (self: number, remote: number): boolean =>
    state.geometry.silo && self !== 0 && remote !== 0 && remote !== self && remote !== DOMID_SELF;

  const shared = (operation: Operation) =>
    locked((self, remote, b, c) => (apart(self, remote) ? -EPERM : operation(self, remote, b, c)));

  return {
    evtchn_send: direct((self, port) => channels.send(self, port)),
    evtchn_mask: direct((self, port) => channels.mask(self, port)),
    evtchn_unmask: direct((self, port) => channels.unmask(self, port)),
    evtchn_alloc_unbound: shared((self, remote) => channels.allocUnbound(self, remote)),
    evtchn_bind_interdomain: shared((self, remote, port) =>
      channels.bindInterdomain(self, remote, port),
    ),
    evtchn_bind_virq: locked((self, virq) => channels.bindVirq(self, virq)),
    evtchn_close: locked((self, port) => channels.close(self, port)),
    gnttab_grant_access: locked((self, remote, frame, readonly) =>
      grants.grantAccess(self, remote, frame, readonly),
    ),
    gnttab_end_access: locked((self, ref) => grants.endAccess(self, ref)),
    gnttab_map: shared((self, remote, ref, writable) => grants.map(self, remote, ref, writable)),
    gnttab_unmap: locked((self, frame) => grants.unmap(self, frame)),
  };
}
