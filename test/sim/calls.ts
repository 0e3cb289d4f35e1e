/** Jobs of a guest that calls: each connects, does its part of a talk, and lets go. */
import type { Address, GuestSocket } from '../../host/index.js';
import type { Random } from '../../host/machine/index.js';
import { downId, encodeHeader, HEADER_SIZE, type Mode, type Talk } from './conversation.js';
import { codeOf, fails, isAbort, type Env } from './env.js';
import { ringSize, Transfer } from './transfer.js';

/** What a network may do to a connect; who wants the connection tries again. */
const BAD_LUCK = ['ECONNREFUSED', 'ETIMEDOUT', 'EHOSTUNREACH'];
const TRIES = 10;

/** What one side may see when the other has reset the connection. */
export const RESET_CODES = ['ECONNRESET', 'EPIPE'];

export interface Call {
  readonly mode: Mode;
  readonly length: number;
  /** Default: the server outside. */
  readonly address?: Address;
}

/** The whole talk, with every byte checked at both ends. */
export async function call(env: Env, job: string, { mode, length, address }: Call): Promise<void> {
  const random = env.randomFor(job);
  const talk: Talk = { mode, id: env.newId(), length, after: 0 };
  const [socket, transfer] = await reach(env, random, address ?? env.server);
  try {
    await socket.write(encodeHeader(talk));
    await converse(talk, transfer, random);
    await socket.close();
  } catch (error) {
    await socket.abort();
    throw error;
  }
  const sent = mode === 'down' ? 0 : length;
  finished(env, socket, address === undefined ? { id: talk.id, sent, whole: true } : undefined);
}

/** The caller's part, after the header. */
async function converse(talk: Talk, transfer: Transfer, random: Random): Promise<void> {
  const { mode, id, length } = talk;
  const down = downId(talk);
  if (mode === 'up') {
    await transfer.send(id, length); // and close() at once
  } else if (mode === 'down') {
    await transfer.receiveToEnd(down, length);
  } else if (mode === 'half') {
    await transfer.receiveToEnd(down, length);
    await transfer.send(id, length);
  } else if (random.chance(0.3)) {
    await transfer.throughStream([id, length], [down, length]);
  } else {
    await Promise.all([transfer.send(id, length), transfer.receive(down, length)]);
  }
}

/** The program outside resets the connection in the middle. */
export async function callReset(env: Env, job: string, length: number): Promise<void> {
  const random = env.randomFor(job);
  const talk: Talk = { mode: 'reset', id: env.newId(), length, after: random.between(1, length) };
  const [socket, transfer] = await reach(env, random, env.server);
  await socket.write(encodeHeader(talk));
  const both = Promise.all([
    transfer.send(talk.id, length),
    transfer.receive(talk.id, length + 1), // never comes
  ]);
  await fails(env, 'a transfer that is reset', both, RESET_CODES);
  await socket.close();
  finished(env, socket, { id: talk.id, sent: socket.bytesWritten - HEADER_SIZE, whole: false });
}

/** The program outside resets before all it sent is read: that is an error, never an end. */
export async function callCut(env: Env, job: string, length: number): Promise<void> {
  const random = env.randomFor(job);
  const talk: Talk = { mode: 'cut', id: env.newId(), length, after: 0 };
  const [socket, transfer] = await reach(env, random, env.server);
  await socket.write(encodeHeader(talk));
  await env.pause(random.between(0, 20));
  const all = transfer.receive(downId(talk), length + 1); // never comes
  await fails(env, 'a transfer that is cut', all, RESET_CODES);
  await socket.close();
  finished(env, socket, { id: talk.id, sent: 0, whole: false });
}

/** close() or abort() at a moment of chance: what arrived until then is right. */
export async function callAndLeave(env: Env, job: string, length: number): Promise<void> {
  const random = env.randomFor(job);
  const mode = random.pick(['echo', 'both', 'down', 'up'] as const);
  const talk: Talk = { mode, id: env.newId(), length, after: 0 };
  const [socket, transfer] = await reach(env, random, env.server);
  await socket.write(encodeHeader(talk));
  const parts: Promise<void>[] = [];
  if (mode !== 'down') parts.push(transfer.send(talk.id, length));
  if (mode !== 'up') parts.push(transfer.receive(downId(talk), length));
  const ends = Promise.allSettled(parts);
  await env.pause(random.between(0, 80));
  await (random.chance(0.5) ? socket.close() : socket.abort());
  env.counts.cancellations += 1;
  for (const end of await ends) {
    if (end.status === 'rejected' && codeOf(end.reason) !== 'EBADF') throw end.reason;
  }
  finished(env, socket, { id: talk.id, sent: socket.bytesWritten - HEADER_SIZE, whole: false });
}

/** Gives up a connect; when it was quicker, there is a connection to close. */
export async function callAndGiveUp(env: Env, job: string): Promise<void> {
  const random = env.randomFor(job);
  const patience = new AbortController();
  void env.pause(random.between(0, 12)).then(() => patience.abort());
  const ringOrder = random.pick(env.orders);
  try {
    const socket = await env.guest.connect({ ...env.server, ringOrder, signal: patience.signal });
    await socket.abort();
  } catch (error) {
    if (!isAbort(error) && !BAD_LUCK.includes(codeOf(error))) throw error;
  }
  env.counts.cancellations += 1;
}

/** Many short calls one after the other: rings, ports and handles are used again. */
export async function churn(env: Env, job: string, times: number): Promise<void> {
  const random = env.randomFor(job);
  for (let time = 0; time < times; time++) {
    const mode = random.pick(['echo', 'down', 'up', 'both', 'half'] as const);
    await call(env, `${job} ${time}`, { mode, length: random.between(1, 3000) });
  }
}

/** Everything that must be refused is, with the right error, and harms nothing. */
export async function callInVain(env: Env, job: string): Promise<void> {
  const { guest } = env;
  const random = env.randomFor(job);
  const ringOrder = random.pick(env.orders);
  await fails(env, 'refused', guest.connect({ ...env.refused, ringOrder }), BAD_LUCK);
  await fails(env, 'denied', guest.connect({ ...env.denied, ringOrder }), ['EACCES']);
  await fails(env, 'in use', guest.listen(env.server), ['EADDRINUSE']);
  await fails(env, 'order 10', guest.connect({ ...env.server, ringOrder: 10 }), ['EINVAL']);
}

/** Connects, trying again after bad luck. */
async function reach(env: Env, random: Random, address: Address): Promise<[GuestSocket, Transfer]> {
  const ringOrder = random.pick(env.orders);
  for (let tries = 1; ; tries++) {
    try {
      const socket = await env.guest.connect({ ...address, ringOrder });
      return [socket, new Transfer(env, socket, random, ringSize(ringOrder))];
    } catch (error) {
      if (!BAD_LUCK.includes(codeOf(error)) || tries === TRIES) throw error;
      env.counts.errors += 1;
      await env.pause(random.between(1, 5));
    }
  }
}

function finished(env: Env, socket: GuestSocket, claim: Env['claims'][number] | undefined): void {
  env.counts.bytes += socket.bytesRead + socket.bytesWritten;
  if (claim !== undefined) env.claims.push(claim);
}
