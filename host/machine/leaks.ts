/**
 * What domains have left behind in the hypervisor's tables. What a living domain is born with does
 * not count: the grant of its xenstore page, domain 0's mapping of it, and both ends of that port.
 */
import {
  GNTTAB_NR_RESERVED_ENTRIES,
  GNTTAB_RESERVED_XENSTORE,
} from '../../assembly/wire/grant-table.js';
import type { EventChannels, PortStatus } from './event-channels.js';
import type { GrantTables } from './grant-tables.js';
import {
  DOMAIN_NAME,
  DOMAIN_NAME_LENGTH,
  DOMAIN_STORE_PORT,
  DOMAIN_STORE_REMOTE_PORT,
  type MachineState,
} from './machine-state.js';

/** The lock must be held. */
export function findLeaks(
  state: MachineState,
  channels: EventChannels,
  grants: GrantTables,
): string[] {
  const leaks: string[] = [];
  for (let domid = 0; domid < state.geometry.maxDomains; domid++) {
    if (!state.isAlive(domid)) continue;
    const who = nameOf(state, domid);
    for (const grant of grants.list(domid)) {
      if (grant.ref < GNTTAB_NR_RESERVED_ENTRIES) continue;
      const mapped = grant.maps === 0 ? '' : `, mapped ${grant.maps} times`;
      leaks.push(
        `${who}: grant ${grant.ref} of frame ${grant.frame} to domain ${grant.remote}${mapped}`,
      );
    }
    for (const { granter, ref, frame, maps } of grants.listMappings(domid)) {
      if (domid === 0 && ref === GNTTAB_RESERVED_XENSTORE && state.isAlive(granter)) continue;
      leaks.push(
        `${who}: mapping of frame ${frame}, grant ${ref} of domain ${granter}, ${maps} times`,
      );
    }
    for (const port of channels.list(domid)) {
      if (isStorePort(state, domid, port)) continue;
      leaks.push(`${who}: port ${port.port}, ${describePort(port)}`);
    }
  }
  return leaks;
}

function nameOf(state: MachineState, domid: number): string {
  const record = state.domainRecord(domid);
  const at = (record + DOMAIN_NAME) * 4;
  const name = state.u8.slice(at, at + state.i32[record + DOMAIN_NAME_LENGTH]!);
  return `domain ${domid} "${new TextDecoder().decode(name)}"`;
}

function describePort(port: PortStatus): string {
  if (port.state === 'virq') return `virq ${port.remotePort}`;
  if (port.state === 'unbound') return `unbound, for domain ${port.remote}`;
  return `interdomain with port ${port.remotePort} of domain ${port.remote}`;
}

function isStorePort(state: MachineState, domid: number, port: PortStatus): boolean {
  if (domid !== 0) return port.port === state.i32[state.domainRecord(domid) + DOMAIN_STORE_PORT];
  if (port.state === 'virq' || !state.isAlive(port.remote)) return false;
  const record = state.domainRecord(port.remote);
  return port.port === state.i32[record + DOMAIN_STORE_REMOTE_PORT];
}
