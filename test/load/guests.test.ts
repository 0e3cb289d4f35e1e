/** Many guests on one machine: one memory, one xenstored, one event loop. */
import { describe, expect, it } from 'vitest';
import { Crowd } from './crowd.js';
import { EchoTalk } from './echoes.js';

const LONG = process.env['PVCALLS_LONG'] !== undefined;
const GUESTS = 256;
const SOCKETS = 16;
const TRIPS = LONG ? 200 : 2;
const MESSAGE = 600;

describe(`${GUESTS} guests with ${SOCKETS} sockets each`, () => {
  it('are on one machine of default size, and all at work', async () => {
    const startMs = performance.now();
    const crowd = await Crowd.open({
      guests: GUESTS,
      guest: { memoryMiB: 1, sockets: SOCKETS, ringOrder: 1 },
    });
    const guestMs = (performance.now() - startMs) / GUESTS;
    await Promise.all(crowd.guests.map((guest) => crowd.connect(guest, SOCKETS)));
    expect(crowd.sockets).toHaveLength(GUESTS * SOCKETS);
    const talks = crowd.sockets.map((socket, id) => new EchoTalk(socket, id, MESSAGE));
    await Promise.all(talks.map((talk) => talk.trips(TRIPS)));
    expect(talks.every(({ echoed }) => echoed === TRIPS * MESSAGE)).toBe(true);
    for (const guest of crowd.guests) {
      await expect(guest.connect({ host: '10.0.0.1', port: 7 })).rejects.toMatchObject({
        code: 'ENFILE',
      });
    }
    console.log(`${guestMs.toFixed(1)} ms to start a guest`);
    await crowd.close();
  });

  it('are refused with ENFILE when domain 0 has no port left, and the others go on', async () => {
    const crowd = await Crowd.open({
      guests: 2,
      guest: { memoryMiB: 1, sockets: SOCKETS, ringOrder: 1 },
    });
    const [first, second] = crowd.guests;
    const [socket] = await crowd.connect(first!, 1);
    const { hypercalls } = crowd.machine.domain(0);
    const taken: number[] = [];
    for (let port = 0; (port = hypercalls.evtchn_alloc_unbound(0)) > 0;) taken.push(port);
    await expect(second!.connect({ host: '10.0.0.1', port: 7 })).rejects.toMatchObject({
      code: 'ENFILE',
    });
    await new EchoTalk(socket!, 1, MESSAGE).trips(3);
    for (const port of taken) hypercalls.evtchn_close(port);
    const [late] = await crowd.connect(second!, 1);
    await new EchoTalk(late!, 2, MESSAGE).trips(3);
    await crowd.close();
  });
});
