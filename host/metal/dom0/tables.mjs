/**
 * Reads what Xen prints for its debug keys `e` and `g`: every event channel, and every grant that
 * somebody maps. C reference: common/event_channel.c, `domain_dump_evtchn_info`;
 * common/grant_table.c, `gnttab_usage_print`.
 */

/** public/event_channel.h: EVTCHNSTAT_*, as Xen numbers them inside (`ECS_*`). */
const STATES = ['free', 'reserved', 'unbound', 'interdomain', 'pirq', 'virq', 'ipi'];

/**
 * @typedef {{ domid: number, port: number, state: string, remote?: number, remotePort?: number }}
 *   Port `remote`: the other end's domid.
 * @typedef {{ domid: number, ref: number, frame: number }} MappedGrant Of domain `domid`.
 * @typedef {{ ports: Port[], grants: MappedGrant[] }} Tables
 */

/**
 * @param {string} text `tables`, as dom0's observe() left it.
 * @returns {Tables} Throws when the text is not what Xen prints.
 */
export function parseTables(text) {
  /** @type {Tables} */
  const tables = { ports: [], grants: [] };
  let domid = -1;
  for (const line of text.split('\n')) {
    const owner = /(?:information for domain |grant-table for remote d)(\d+)/.exec(line);
    if (owner) domid = Number(owner[1]);
    const port = /\) +(\d+) \[.*\]: s=(\d+) n=\d+ x=\d+(?: d=(\d+) p=(\d+))?/.exec(line);
    if (port) tables.ports.push(portOf(domid, port));
    const grant = /\[0x([0-9a-f]+)\] +\d+ 0x[0-9a-f]+ +0x[0-9a-f]+ +\d+ 0x([0-9a-f]+)/.exec(line);
    if (grant) {
      const [ref, frame] = grant.slice(1).map((digits) => parseInt(digits, 16));
      tables.grants.push({ domid, ref: ref ?? -1, frame: frame ?? -1 });
    }
  }
  if (!text.includes("'e' pressed") || !text.includes('gnttab_usage_print_all ] done')) {
    throw new Error(`Xen's tables are not complete: ${text.slice(0, 200)}`);
  }
  return tables;
}

/** @param {number} domid @param {string[]} match @returns {Port} */
function portOf(domid, [, port, state, remote, remotePort]) {
  return {
    domid,
    port: Number(port),
    state: STATES[Number(state)] ?? `state ${state}`,
    ...(remote === undefined ? {} : { remote: Number(remote), remotePort: Number(remotePort) }),
  };
}
