/**
 * A guest in C over pvcalls_guest.h, whose calls block, with Linux's backend: what a person writes
 * who has only that header. Its clients run in dom0.
 */
import { expect, it } from 'vitest';

import { fileOf, linesOf, reasonOf, runLinux, servedIn } from './dom0/world.js';

const TIMEOUT_MS = 180_000;
const CLIENTS = 3;
const CLIENT_BYTES = 50_000;

/** The first says nothing until the others are done: they are served at once. */
const JOB = `
start_guest guest
await_line guest 60 listening || end "no listener"
for client in $(seq ${CLIENTS}); do
    head -c ${CLIENT_BYTES} /dev/urandom >/tmp/in$client
done
pids=
(sleep 2; cat /tmp/in1) | nc 127.0.0.1 6001 >/tmp/out1 &
pids="$pids $!"
for client in $(seq 2 ${CLIENTS}); do
    nc 127.0.0.1 6001 </tmp/in$client >/tmp/out$client &
    pids="$pids $!"
done
wait $pids
await_guest guest 60 || end "no end of guest"
for client in $(seq ${CLIENTS}); do
    cmp /tmp/in$client /tmp/out$client && echo same >>/results/clients
done
`;

it(
  'connects, waits, is refused and serves, with nothing left over',
  async () => {
    const guest = {
      app: 'blocking' as const,
      settings: `clients=${CLIENTS} bytes=${CLIENT_BYTES}`,
    };
    const world = await runLinux({ guests: { guest }, job: JOB, timeoutMs: TIMEOUT_MS });
    expect(world.done).toBe(true);
    const lines = linesOf(world, 'guest').filter((line) => line.startsWith('blocking: '));
    expect(lines.map((line) => line.replace(/after \d+ ms/, ''))).toEqual([
      'blocking: refused as it should be',
      'blocking: connected ',
      'blocking: echo of 100001 bytes done',
      'blocking: listening',
      `blocking: served ${CLIENTS} clients`,
      'blocking: left over: parked 0, lost 0, sockets 0; result 0',
    ]);
    expect(reasonOf(world, 'guest')).toBe(0);
    expect(servedIn(world)[0]).toMatchObject({ service: 'echo', in: 100_001, out: 100_001 });
    expect(fileOf(world, 'clients')).toBe('same\n'.repeat(CLIENTS));
  },
  TIMEOUT_MS,
);
