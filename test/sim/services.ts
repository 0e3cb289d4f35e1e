/** Jobs of a guest that listens: programs outside and guests call, and it answers. */
import { POLLIN } from '../../assembly/wire/abi.js';
import type { GuestListener, GuestSocket } from '../../host/index.js';
import type { Random } from '../../host/machine/index.js';
import { call } from './calls.js';
import { decodeHeader, downId, HEADER_SIZE, type Talk } from './conversation.js';
import { codeOf, isAbort, type Env } from './env.js';
import { ringSize, Transfer } from './transfer.js';

const GUEST_CALL = { mode: 'echo', length: 6000 } as const;

/** Listens, is called by programs outside and by guests, itself one of them, and serves all. */
export async function serve(
  env: Env,
  job: string,
  talks: readonly Talk[],
  guests: readonly Env[],
): Promise<void> {
  const random = env.randomFor(job);
  const host = env.ownHost();
  const ringOrder = random.pick(env.orders);
  const listener = await env.guest.listen({ host, port: 0, backlog: 16, ringOrder });
  const address = await env.locate(host);
  for (const talk of talks) env.dial(address, talk);
  const calls = guests.map((guest) => call(guest, `calls ${job}`, { ...GUEST_CALL, address }));
  const answers: Promise<Talk>[] = [];
  for (let count = 0; count < talks.length + guests.length; count++) {
    const socket = await next(env, listener, random);
    answers.push(answer(env, `${job} answer ${count}`, socket, ringSize(ringOrder)));
  }
  await Promise.all(calls);
  const answered = await Promise.all(answers);
  for (const { mode, id, length } of talks) {
    if (!answered.some((talk) => talk.id === id)) throw new Error(`nobody made call ${id}`);
    env.claims.push({ id, sent: mode === 'up' ? 0 : length, whole: true });
  }
  await closeWaiting(env, listener, random);
}

/** The next connection, in one of the ways to wait for it. */
async function next(env: Env, listener: GuestListener, random: Random): Promise<GuestSocket> {
  const way = random.below(3);
  if (way === 0) await polled(env, listener);
  if (way === 1) {
    const patience = new AbortController();
    void env.pause(random.between(0, 5)).then(() => patience.abort());
    try {
      return await listener.accept(patience.signal);
    } catch (error) {
      if (!isAbort(error)) throw error;
      env.counts.cancellations += 1;
    }
  }
  return listener.accept();
}

/** Asks with PVCALLS_POLL until a connection waits. */
async function polled(env: Env, listener: GuestListener): Promise<void> {
  const ask = (): number => env.guest.driver.call((core) => core.poll(listener.handle));
  while ((ask() & POLLIN) === 0) {
    await new Promise<void>((resolve) => {
      listener.onReady = () => resolve();
      listener.onGone = () => resolve();
    });
  }
}

/** Closes a listener on which somebody still waits. */
async function closeWaiting(env: Env, listener: GuestListener, random: Random): Promise<void> {
  if (random.chance(0.5)) {
    const waiting = listener.accept().then(
      () => 'a connection',
      (error: unknown) => codeOf(error),
    );
    await env.pause(random.between(0, 10));
    await listener.close();
    const outcome = await waiting;
    if (outcome !== 'EBADF') throw new Error(`accept on a closed listener: ${outcome}`);
    env.counts.cancellations += 1;
    return;
  }
  await listener.close();
}

/** Answers one connection as its header asks. */
export async function answer(
  env: Env,
  job: string,
  socket: GuestSocket,
  ring: number,
): Promise<Talk> {
  const transfer = new Transfer(env, socket, env.randomFor(job), ring);
  const talk = decodeHeader(await readExactly(socket, HEADER_SIZE));
  const { mode, id, length } = talk;
  if (mode === 'echo') {
    await transfer.echo(id);
  } else {
    const parts: Promise<void>[] = [];
    if (mode !== 'up') parts.push(transfer.send(downId(talk), length));
    if (mode === 'up') parts.push(transfer.receiveToEnd(id, length));
    else if (mode === 'both') parts.push(transfer.receive(id, length));
    await Promise.all(parts);
  }
  await socket.close();
  env.counts.bytes += socket.bytesRead + socket.bytesWritten;
  return talk;
}

async function readExactly(socket: GuestSocket, count: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(count);
  for (let have = 0; have < count;) {
    const got = await socket.read(bytes.subarray(have));
    if (got === 0) throw new Error(`ended after ${have} of ${count} bytes`);
    have += got;
  }
  return bytes;
}
