/** The socket table: handles with generations, the free list, lists of waiting sockets. */
import { arenaInit, arenaSeal } from '../../assembly/guest/arena';
import {
  enlist,
  giveSocket,
  handleOf,
  indexOf,
  LIST_CONTROL,
  LIST_READY,
  LIST_RELEASE,
  LIST_WARM,
  LISTS,
  OP_NONE,
  peekList,
  Socket,
  socketAt,
  socketOf,
  socketsCount,
  socketsInit,
  socketsUsed,
  STATE_CONNECTED,
  STATE_FRESH,
  takeList,
  takeSocket,
} from '../../assembly/pvcalls/sockets';
import { ENFILE } from '../../assembly/wire/errno';
import { fake_reset } from './fake';

const ARENA: usize = 0x100000;
const COUNT: u32 = 5;
const GENERATIONS: u32 = (1 << 18) - 1;

beforeEach(() => {
  fake_reset();
  arenaInit(ARENA, 300);
  socketsInit(COUNT);
  arenaSeal();
});

function takeOne(): Socket {
  const index = takeSocket(STATE_FRESH);
  expect(index).toBeGreaterThan(-1);
  return socketAt(index);
}

function isKnown(handle: u32): bool {
  return socketOf(handle, 0xff) !== null;
}

/** Takes a whole list. Result: the entries as digits, first first. */
function drain(list: u32): string {
  let text = '';
  for (let socket = takeList(list); socket !== null; socket = takeList(list)) {
    text += indexOf(socket).toString();
  }
  return text;
}

describe('the table', () => {
  it('hands out every entry once, then ENFILE', () => {
    let seen: u32 = 0;
    for (let i: u32 = 0; i < COUNT; i++) seen |= 1 << indexOf(takeOne());
    expect(seen).toBe((1 << COUNT) - 1);
    expect(socketsUsed()).toBe(COUNT);
    expect(socketsCount()).toBe(COUNT);
    expect(takeSocket(STATE_FRESH)).toBe(-ENFILE);
    expect(socketsUsed()).toBe(COUNT);
  });

  it('hands out an entry again that was given back', () => {
    for (let i: u32 = 0; i < COUNT; i++) takeOne();
    giveSocket(socketAt(3));
    expect(takeSocket(STATE_FRESH)).toBe(3);
    expect(takeSocket(STATE_FRESH)).toBe(-ENFILE);
  });

  it('starts an entry afresh, whatever its last life left', () => {
    const socket = takeOne();
    socket.state = <u8>STATE_CONNECTED;
    socket.ready = 7;
    socket.armed = 5;
    socket.inFlight = 0xff;
    socket.op = 1;
    socket.reset = true;
    socket.passiveWant = 5;
    socket.pollReady = true;
    socket.connectable = true;
    socket.silent = true;
    socket.partner = 3;
    socket.error = -5;
    socket.acceptError = -5;
    giveSocket(socket);
    const again = takeOne();
    expect(indexOf(again)).toBe(indexOf(socket));
    expect(<u32>again.state).toBe(STATE_FRESH);
    expect(again.ready + again.armed + again.inFlight).toBe(0);
    expect(<u32>again.op).toBe(OP_NONE);
    expect(<u32>again.passiveWant).toBe(OP_NONE);
    expect(again.reset || again.pollReady || again.connectable || again.silent).toBe(false);
    expect(again.partner).toBe(0);
    expect(again.error).toBe(0);
    expect(again.acceptError).toBe(0);
  });
});

describe('a handle', () => {
  it('is positive, and unique among those in use', () => {
    const one = handleOf(takeOne());
    const two = handleOf(takeOne());
    expect(<i32>one).toBeGreaterThan(0);
    expect(<i32>two).toBeGreaterThan(0);
    expect(one).not.toBe(two);
  });

  it('leads to its socket until it is given back, and never again', () => {
    const socket = takeOne();
    const handle = handleOf(socket);
    expect(isKnown(handle)).toBe(true);
    giveSocket(socket);
    expect(isKnown(handle)).toBe(false);
    takeOne();
    expect(isKnown(handle)).toBe(false);
    expect(handleOf(socket)).not.toBe(handle);
  });

  it('that was never given leads nowhere', () => {
    const handle = handleOf(takeOne());
    expect(isKnown(0)).toBe(false);
    expect(isKnown(0xffffffff)).toBe(false);
    expect(isKnown(handle + COUNT)).toBe(false);
    expect(isKnown(handle ^ 0x80000000)).toBe(false);
    expect(isKnown(handle + (1 << 12))).toBe(false);
    expect(isKnown(handle & 0xfff)).toBe(false);
  });

  it('of a free entry leads nowhere, though its generation is right', () => {
    expect(isKnown(handleOf(socketAt(4)))).toBe(false);
  });

  it('stays positive when generations begin again', () => {
    const socket = takeOne();
    socket.generation = GENERATIONS;
    const last = handleOf(socket);
    expect(<i32>last).toBeGreaterThan(0);
    giveSocket(socket);
    const first = handleOf(takeOne());
    expect(<i32>first).toBeGreaterThan(0);
    expect(first).not.toBe(last);
    expect(isKnown(last)).toBe(false);
  });
});

describe('the lists', () => {
  it('are empty at first', () => {
    for (let list: u32 = 0; list < LISTS; list++) {
      expect(peekList(list) === null).toBe(true);
      expect(takeList(list) === null).toBe(true);
    }
  });

  it('keep their order, first in, first out', () => {
    enlist(socketAt(3), LIST_READY);
    enlist(socketAt(0), LIST_READY);
    enlist(socketAt(4), LIST_READY);
    expect(drain(LIST_READY)).toBe('304');
    expect(drain(LIST_READY)).toBe('');
  });

  it('take a member once', () => {
    enlist(socketAt(1), LIST_CONTROL);
    enlist(socketAt(2), LIST_CONTROL);
    enlist(socketAt(1), LIST_CONTROL);
    expect(drain(LIST_CONTROL)).toBe('12');
  });

  it('take a member again after it was taken out, at the end', () => {
    enlist(socketAt(1), LIST_CONTROL);
    enlist(socketAt(2), LIST_CONTROL);
    const first = takeList(LIST_CONTROL);
    expect(first !== null && indexOf(first) == 1).toBe(true);
    enlist(socketAt(1), LIST_CONTROL);
    expect(drain(LIST_CONTROL)).toBe('21');
  });

  it('do not disturb each other: a socket can be in all', () => {
    for (let list: u32 = 0; list < LISTS; list++) {
      for (let i: u32 = 0; i < COUNT; i++) enlist(socketAt((i + list) % COUNT), list);
    }
    expect(drain(LIST_WARM)).toBe('12340');
    expect(drain(LIST_RELEASE)).toBe('01234');
    expect(drain(LIST_READY)).toBe('40123');
    expect(drain(LIST_CONTROL)).toBe('12340');
  });

  it('show their first without taking it', () => {
    enlist(socketAt(2), LIST_RELEASE);
    const first = peekList(LIST_RELEASE);
    expect(first !== null && indexOf(first) == 2).toBe(true);
    expect(drain(LIST_RELEASE)).toBe('2');
  });

  it('can be filled again after they were emptied', () => {
    enlist(socketAt(2), LIST_RELEASE);
    drain(LIST_RELEASE);
    enlist(socketAt(4), LIST_RELEASE);
    enlist(socketAt(2), LIST_RELEASE);
    expect(drain(LIST_RELEASE)).toBe('42');
  });
});
