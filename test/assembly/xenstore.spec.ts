/** The xenstore client against a xenstored that writes every byte by hand. */
import { arenaInit } from '../../assembly/guest/arena';
import { eventsInit, OWNER_STORE, ownerOf } from '../../assembly/guest/events';
import {
  messageIsError,
  messageSize,
  STORE_EMPTY,
  storeFlush,
  storeInit,
  storePayload,
  storeSubmit,
  storeTake,
} from '../../assembly/guest/xenstore';
import { EAGAIN, EINVAL, ENODEV } from '../../assembly/wire/errno';
import { fake_forget_sent, fake_sent, fake_violations } from './fake';
import {
  READ,
  ALL,
  ARENA,
  port,
  startClient,
  ask,
  asked,
  payload,
  expectMessage,
  expectBroken,
} from './xenstore-client';
import {
  compose,
  feed,
  requestByte,
  requestId,
  requestSize,
  requestText,
  requestTransaction,
  requestType,
  say,
  storedTake,
} from './xenstored-end';

const WRITE: u32 = 11;
const WATCH_EVENT: u32 = 15;
const ERROR: u32 = 16;

beforeEach(() => {
  startClient(0);
});

afterEach(() => {
  expect(fake_violations()).toBe(0);
});

describe('a request', () => {
  it('is a header and its payload, and one notification', () => {
    const at = storePayload();
    store<u32>(at, 0x00434241);
    const id = storeSubmit(WRITE, 77, 3);
    expect(storedTake(ALL)).toBe(true);
    expect(requestType()).toBe(WRITE);
    expect(<i32>requestId()).toBe(id);
    expect(requestTransaction()).toBe(77);
    expect(requestText()).toBe('ABC');
    expect(fake_sent(port)).toBe(1);
    expect(ownerOf(port)).toBe(OWNER_STORE);
  });

  it('goes on where the indices of the page stand', () => {
    startClient(0xfffffff8);
    ask(READ, 'over the end');
    expect(storedTake(ALL)).toBe(true);
    expect(requestText()).toBe('over the end');
    say(READ, requestId(), 'and back');
    expectMessage(READ, requestId(), 'and back');
  });

  it('has an id of its own each time', () => {
    const first = asked();
    expect(asked()).not.toBe(first);
  });

  it('wraps at the end of the ring', () => {
    for (let i = 0; i < 40; i++) {
      ask(WRITE, 'a request of fifty-one bytes with its header.. ');
      expect(storedTake(ALL)).toBe(true);
      expect(requestText()).toBe('a request of fifty-one bytes with its header.. ');
      say(WRITE, requestId(), 'OK|');
      expectMessage(WRITE, requestId(), 'OK\0');
    }
  });

  it('larger than the ring goes out in pieces, as xenstored makes room', () => {
    const at = storePayload();
    for (let i: u32 = 0; i < 4096; i++) store<u8>(at + i, <u8>(i * 7));
    expect(storeSubmit(WRITE, 0, 4096)).toBeGreaterThan(0);
    expect(storePayload()).toBe(0);
    expect(ask(READ, 'x')).toBe(-EAGAIN);
    let rounds = 0;
    while (!storedTake(300)) {
      storeFlush();
      rounds += 1;
      if (rounds > 20) break;
    }
    expect(requestSize()).toBe(4096);
    let wrong = 0;
    for (let i: u32 = 0; i < 4096; i++) if (requestByte(i) != <u8>(i * 7)) wrong += 1;
    expect(wrong).toBe(0);
    expect(storePayload()).not.toBe(0);
  });

  it('is not notified again while nothing more of it fits', () => {
    storeSubmit(WRITE, 0, 4096);
    fake_forget_sent();
    storeFlush();
    expect(fake_sent(port)).toBe(0);
    storedTake(10);
    storeFlush();
    expect(fake_sent(port)).toBe(1);
  });

  it('of more than 4096 bytes is refused', () => {
    expect(storeSubmit(WRITE, 0, 4097)).toBe(-EINVAL);
    expect(storeSubmit(WRITE, 0, 0xffffffff)).toBe(-EINVAL);
    expect(asked()).toBeGreaterThan(0);
  });

  it('number nine waits until one of eight is answered', () => {
    const first = asked();
    for (let i = 0; i < 7; i++) asked();
    expect(ask(READ, 'x')).toBe(-EAGAIN);
    say(READ, first, 'v');
    expectMessage(READ, first, 'v');
    expect(asked()).toBeGreaterThan(0);
  });

  it('cannot be made without xenstore', () => {
    arenaInit(ARENA, 16);
    eventsInit(0, 0);
    storeInit(0, 0);
    expect(storePayload()).toBe(0);
    expect(storeSubmit(READ, 0, 0)).toBe(-ENODEV);
    expect(storeTake()).toBe(STORE_EMPTY);
    storeFlush();
  });
});

describe('a reply', () => {
  it('may come byte by byte', () => {
    const id = asked();
    compose(READ, id, 'value');
    for (let i = 0; i < 20; i++) {
      expect(feed(1)).toBe(1);
      expect(storeTake()).toBe(STORE_EMPTY);
    }
    feed(1);
    expectMessage(READ, id, 'value');
    expect(storeTake()).toBe(STORE_EMPTY);
  });

  it('wraps at the end of the ring, wherever its header is split', () => {
    for (let i = 0; i < 64; i++) {
      const id = asked();
      say(READ, id, 'seventeen and one');
      expectMessage(READ, id, 'seventeen and one');
    }
  });

  it('may be empty', () => {
    const id = asked();
    say(READ, id, '');
    expectMessage(READ, id, '');
  });

  it('larger than the ring comes in pieces; xenstored is told of the room', () => {
    const id = asked();
    let text = '';
    for (let i = 0; i < 4096; i++) text += String.fromCharCode(97 + (i % 26));
    compose(READ, id, text);
    fake_forget_sent();
    let rounds = 0;
    while (feed(ALL) != 0 && storeTake() == STORE_EMPTY) rounds += 1;
    expect(rounds).toBe(4);
    expect(messageSize()).toBe(4096);
    expect(payload()).toBe(text);
    expect(fake_sent(port)).toBeGreaterThan(3);
  });

  it('that leaves the ring room all the time needs no notification', () => {
    const id = asked();
    fake_forget_sent();
    say(READ, id, 'short');
    expectMessage(READ, id, 'short');
    expect(fake_sent(port)).toBe(0);
  });

  it('is matched to its request by id, in any order', () => {
    const first = asked();
    const second = asked();
    const third = asked();
    say(READ, second, 'two');
    say(READ, third, 'three');
    say(READ, first, 'one');
    expectMessage(READ, second, 'two');
    expectMessage(READ, third, 'three');
    expectMessage(READ, first, 'one');
  });

  it('that is an error is text', () => {
    const id = asked();
    say(ERROR, id, 'ENOENT|');
    expectMessage(ERROR, id, 'ENOENT\0');
    expect(messageIsError(0x454f4e45)).toBe(true);
    expect(messageIsError(0x41474145)).toBe(false);
  });

  it('is not taken for an error by its text', () => {
    const id = asked();
    say(READ, id, 'EAGAIN|');
    expectMessage(READ, id, 'EAGAIN\0');
    expect(messageIsError(0x41474145)).toBe(false);
  });
});

describe('a watch event', () => {
  it('comes at any time, between a request and its reply too', () => {
    const id = asked();
    say(WATCH_EVENT, 0, 'device/pvcalls/0/backend|d|');
    say(READ, id, 'value');
    say(WATCH_EVENT, 0, '/local|token|');
    expectMessage(WATCH_EVENT, 0, 'device/pvcalls/0/backend\0d\0');
    expectMessage(READ, id, 'value');
    expectMessage(WATCH_EVENT, 0, '/local\0token\0');
  });

  it('answers no request, though its id is that of one', () => {
    const id = asked();
    say(WATCH_EVENT, id, 'a|b|');
    expectMessage(WATCH_EVENT, id, 'a\0b\0');
    say(READ, id, 'value');
    expectMessage(READ, id, 'value');
  });

  it('without its two strings breaks the connection', () => {
    say(WATCH_EVENT, 0, 'path|');
    expectBroken();
  });

  it('whose token does not end breaks the connection', () => {
    say(WATCH_EVENT, 0, 'path|token');
    expectBroken();
  });

  it('of nothing breaks the connection', () => {
    say(WATCH_EVENT, 0, '');
    expectBroken();
  });
});
