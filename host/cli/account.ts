/** What the demo tells at the end. */
import type { CommandName, MachineCounters } from '../index.js';
import type { Step } from './demo.js';
import type { Snapshot } from './snapshot.js';
import { grouped, ms, section, table } from './tables.js';
import type { Timeline } from './timeline.js';

export interface Account {
  readonly steps: readonly Step[];
  /** Taken while all sockets were still open. */
  readonly snapshot: Snapshot;
  readonly counters: MachineCounters;
  readonly timeline: Timeline;
  readonly leaks: readonly string[];
  readonly elapsedMs: number;
}

/** As text for people, and as plain data for --json. */
export function describeAccount(account: Account): { text: string; object: unknown } {
  const { steps, snapshot, counters, timeline, leaks, elapsedMs } = account;
  const { devices, domains } = snapshot;
  const guests = domains.filter(({ counters: own }) => own !== undefined);
  const text = [
    steps.map(stepLine).join('\n'),
    section('xenbus states passed', states(account)),
    section('commands, as the backend saw them', commands(snapshot)),
    section('data rings (in: to the guest)', rings(snapshot)),
    section('notifications', notifications(account)),
    leaks.length === 0
      ? `Nothing was left behind: no grant, mapping, port or watch. ${seconds(elapsedMs)}.`
      : `${leaks.length} left behind:\n  ${leaks.join('\n  ')}`,
  ];
  const object = {
    steps,
    states: timeline.changes,
    devices,
    guests: guests.map(({ domid, name, counters: own }) => ({ domid, name, counters: own })),
    machine: counters,
    leaks,
    elapsedMs,
  };
  return { text: text.filter((part) => part !== undefined).join('\n\n'), object };
}

function stepLine({ what, bytes, elapsedMs, verified }: Step): string {
  const rate = bytes / 1e6 / (elapsedMs / 1e3);
  const [verdict, hash] = verified ? ['ok   ', 'equal'] : ['WRONG', 'differs'];
  const speed = `${bytes / (1 << 20)} MiB in ${ms(elapsedMs)} ms, ${rate.toFixed(0)} MB/s`;
  return `${verdict} ${what}\n      ${speed}, SHA-256 ${hash}`;
}

function states({ snapshot, timeline }: Account): string {
  return table(
    ['device', 'end', 'states'],
    snapshot.devices.flatMap(({ domid }) =>
      (['frontend', 'backend'] as const).map((end) => [
        `guest ${domid}`,
        end,
        timeline.passed(domid, end).join(' > '),
      ]),
    ),
  );
}

function commands({ devices }: Snapshot): string {
  return table(
    ['guest', 'command', 'count', 'failed', 'mean ms', 'max ms'],
    devices.flatMap((device) =>
      (Object.keys(device.commands) as CommandName[]).map((name) => {
        const { count, failed, totalMs, maxMs } = device.commands[name]!;
        return [device.domid, name, count, failed, ms(totalMs / count), ms(maxMs)];
      }),
    ),
  );
}

function rings({ devices }: Snapshot): string {
  const head = ['guest', 'peer', 'order', 'bytes in', 'bytes out'];
  return table(
    [...head, 'notified', 'was notified', 'wraps', 'full'],
    devices.flatMap(({ domid, sockets }) =>
      sockets.flatMap(({ address, ringOrder, ring }) => {
        if (ring === undefined || address === undefined) return [];
        return [
          [
            domid,
            `${address.host}:${address.port}`,
            ringOrder ?? 0,
            grouped(ring.bytesIn),
            grouped(ring.bytesOut),
            ring.notificationsSent,
            ring.notificationsReceived,
            ring.wraps,
            ring.fullRings,
          ],
        ];
      }),
    ),
  );
}

function notifications({ snapshot, counters }: Account): string {
  const rows: [string, string | number][] = snapshot.domains.flatMap(({ domid, counters: own }) =>
    own === undefined
      ? []
      : [
          [`guest ${domid} sent`, own.notifications] as [string, number],
          [`guest ${domid} handled events`, own.events] as [string, number],
        ],
  );
  const { sends, coalesced, upcalls, spurious, wakes } = counters;
  return [
    ...rows.map(([what, count]) => `${what}: ${count}`),
    `machine: ${sends} sent, ${coalesced} coalesced, ${upcalls} upcalls, ${spurious} spurious, ` +
      `${wakes} threads woken`,
  ].join('\n');
}

function seconds(elapsedMs: number): string {
  return `${(elapsedMs / 1000).toFixed(2)} s in all`;
}
