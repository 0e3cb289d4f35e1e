/** `ls`: domains, sockets, rings, grants, event channels and xenstore of running instances. */
import { Failure } from './failure.js';
import { integer, OUTPUT_OPTIONS } from './options.js';
import type { DeviceSnapshot, Snapshot } from './snapshot.js';
import { readInstances } from './status.js';
import { section, table } from './tables.js';
import type { Invocation, Verb } from './verb.js';

export const lsVerb: Verb = {
  name: 'ls',
  summary: 'list what a running forward or expose is made of',
  usage: '[PID]',
  about: `Shows domains, sockets, rings, grants, event channels and xenstore of the instances that
run as this user, or of the one with the given process id. Grants are summed up by domain; --json
has each of them, in one object per instance and line. Ends with 1 when nothing runs.`,
  examples: ['ls', 'ls 4711', 'ls --json | jq .devices'],
  options: OUTPUT_OPTIONS,
  arguments: [0, 1],
  run,
};

async function run({ positionals, output }: Invocation): Promise<number> {
  const [text] = positionals;
  const pid = text === undefined ? undefined : integer('PID', text, 1, 2 ** 31 - 1);
  const all = await readInstances();
  const shown = all.filter((snapshot) => pid === undefined || snapshot.pid === pid);
  if (shown.length === 0) {
    const others = all.map((snapshot) => snapshot.pid).join(', ');
    throw new Failure(
      pid === undefined
        ? 'no instance is running; start one with forward or expose'
        : `no instance has the process id ${pid}; running: ${others || 'none'}`,
    );
  }
  for (const snapshot of shown) output.result(describe(snapshot), snapshot);
  return 0;
}

function describe(snapshot: Snapshot): string {
  const { pid, command, upSeconds, devices } = snapshot;
  return [
    `pid ${pid}: ${command.join(' ')}, up ${upSeconds} s`,
    section('domains', domains(snapshot)),
    section('devices', devices.length === 0 ? '' : deviceTable(devices)),
    section('sockets', sockets(devices)),
    section('commands', commands(devices)),
    section('grants', grants(snapshot)),
    section('event channels', ports(snapshot)),
    section('xenstore', store(snapshot)),
  ]
    .filter((part) => part !== undefined)
    .join('\n\n');
}

function domains({ domains: all }: Snapshot): string {
  return table(
    ['domid', 'name', 'MiB', 'grants', 'ports', 'events', 'notifications'],
    all.map(({ domid, name, frames, grants: given, ports: open, counters }) => [
      domid,
      name,
      Math.round(frames / 256),
      given.length,
      open.length,
      counters?.events ?? '-',
      counters?.notifications ?? '-',
    ]),
  );
}

function deviceTable(devices: readonly DeviceSnapshot[]): string {
  const head = ['domid', 'frontend', 'backend', 'sockets', 'outstanding', 'mapped pages'];
  return table(
    [...head, 'bytes in', 'bytes out', 'notified', 'was notified', 'faults'],
    devices.map((device) => [
      device.domid,
      device.frontend,
      device.backend,
      device.sockets.length,
      device.outstanding,
      device.mappedPages,
      device.rings.bytesIn,
      device.rings.bytesOut,
      device.rings.notificationsSent,
      device.rings.notificationsReceived,
      device.faults.length,
    ]),
  );
}

function sockets(devices: readonly DeviceSnapshot[]): string {
  const head = ['domid', 'id', 'state', 'address', 'order', 'bytes in', 'bytes out'];
  return table(
    [...head, 'notified', 'was notified', 'wraps', 'full', 'pending'],
    devices.flatMap(({ domid, sockets: all }) =>
      all.map(({ id, state, address, ringOrder, ring, pending }) => [
        domid,
        id,
        state,
        address === undefined ? '-' : `${address.host}:${address.port}`,
        ringOrder ?? '-',
        ring?.bytesIn ?? '-',
        ring?.bytesOut ?? '-',
        ring?.notificationsSent ?? '-',
        ring?.notificationsReceived ?? '-',
        ring?.wraps ?? '-',
        ring?.fullRings ?? '-',
        pending ?? '-',
      ]),
    ),
  );
}

function commands(devices: readonly DeviceSnapshot[]): string {
  return table(
    ['domid', 'command', 'count', 'failed', 'mean ms', 'max ms'],
    devices.flatMap(({ domid, commands: byName }) =>
      Object.entries(byName).map(([name, { count, failed, totalMs, maxMs }]) => [
        domid,
        name,
        count,
        failed,
        Number((totalMs / count).toFixed(3)),
        Number(maxMs.toFixed(3)),
      ]),
    ),
  );
}

/** One row for each pair of domains. */
function grants({ domains: all }: Snapshot): string {
  return table(
    ['domid', 'to', 'grants', 'readonly', 'mapped'],
    all.flatMap(({ domid, grants: given }) => {
      const remotes = [...new Set(given.map(({ remote }) => remote))].sort((a, b) => a - b);
      return remotes.map((remote) => {
        const mine = given.filter((grant) => grant.remote === remote);
        const mapped = mine.filter((grant) => grant.maps > 0).length;
        return [domid, remote, mine.length, mine.filter((g) => g.readonly).length, mapped];
      });
    }),
  );
}

function ports({ domains: all }: Snapshot): string {
  return table(
    ['domid', 'port', 'state', 'remote domid', 'remote port', 'sent'],
    all.flatMap(({ domid, ports: open }) =>
      open.map((port) => [domid, port.port, port.state, port.remote, port.remotePort, port.sends]),
    ),
  );
}

function store({ store: values }: Snapshot): string {
  return Object.entries(values)
    .map(([path, value]) => `${path} = "${value}"`)
    .join('\n');
}
