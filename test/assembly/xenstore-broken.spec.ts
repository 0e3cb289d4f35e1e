/** What the xenstore client refuses: it breaks the connection, and never traps. */
import { arenaInit, arenaSeal } from '../../assembly/guest/arena';
import { eventsInit } from '../../assembly/guest/events';
import {
  messageId,
  messagePayload,
  messageSize,
  messageType,
  STORE_BROKEN,
  STORE_MESSAGE,
  storeFlush,
  storeInit,
  storePayload,
  storeSubmit,
  storeTake,
} from '../../assembly/guest/xenstore';
import { evtchn_alloc_unbound } from '../../assembly/hypercalls';
import { ENODEV } from '../../assembly/wire/errno';
import { fake_forget_sent, fake_reset, fake_sent, fake_violations } from './fake';
import {
  composeSize,
  feed,
  lieAboutRequests,
  lieAboutResponses,
  say,
  STORE_PAGE,
  storedStart,
  storedTake,
} from './xenstored-end';

const ARENA: usize = 0x100000;
const READ: u32 = 2;
const ERROR: u32 = 16;
const ALL: u32 = 1 << 16;
let port: u32 = 0;

function start(first: u32): void {
  fake_reset();
  storedStart(first);
  memory.fill(ARENA, 0xa5, 16 * 4096);
  arenaInit(ARENA, 16);
  eventsInit(0, 0);
  port = evtchn_alloc_unbound(0);
  storeInit(STORE_PAGE, port);
  arenaSeal();
}

/** Sends a request of these bytes. */
function ask(type: u32, text: string): i32 {
  const payload = storePayload();
  if (payload == 0) return storeSubmit(type, 0, 0);
  String.UTF8.encodeUnsafe(changetype<usize>(text), text.length, payload);
  return storeSubmit(type, 0, text.length);
}

/** A request that xenstored has taken. */
function asked(): u32 {
  const id = ask(READ, 'x');
  expect(id).toBeGreaterThan(0);
  storedTake(ALL);
  return <u32>id;
}

function payload(): string {
  return String.UTF8.decodeUnsafe(messagePayload(), messageSize());
}

function expectMessage(type: u32, id: u32, text: string): void {
  expect(storeTake()).toBe(STORE_MESSAGE);
  expect(messageType()).toBe(type);
  expect(messageId()).toBe(id);
  expect(payload()).toBe(text);
  expect(load<u8>(messagePayload() + messageSize())).toBe(0);
}

function expectBroken(): void {
  expect(storeTake()).toBe(STORE_BROKEN);
  expect(storeTake()).toBe(STORE_BROKEN);
  expect(ask(READ, 'x')).toBe(-ENODEV);
}

beforeEach(() => {
  start(0);
});

afterEach(() => {
  expect(fake_violations()).toBe(0);
});

describe('the connection breaks, without a trap,', () => {
  it('over a payload of 4097 bytes', () => {
    composeSize(READ, asked(), 4097);
    feed(16);
    expectBroken();
  });

  it('over a payload of 2^32 - 1 bytes', () => {
    say(READ, asked(), '');
    store<u32>(STORE_PAGE + 1024 + 12, 0xffffffff); // len, where the ring begins
    expectBroken();
  });

  it('over an error that does not end, is empty, or goes on after its NUL', () => {
    say(ERROR, asked(), 'ENOENT');
    expectBroken();
    start(0);
    say(ERROR, asked(), '');
    expectBroken();
    start(0);
    say(ERROR, asked(), 'ENOENT|more|');
    expectBroken();
  });

  it('over a reply that nobody asked for', () => {
    asked();
    say(READ, 0x3fffffff, 'v');
    expectBroken();
  });

  it('over a reply with id 0, which marks free entries', () => {
    say(READ, 0, 'v');
    expectBroken();
  });

  it('over a second reply to the same request', () => {
    const id = asked();
    say(READ, id, 'v');
    expectMessage(READ, id, 'v');
    say(READ, id, 'v');
    expectBroken();
  });

  it('over a producer index beyond the ring', () => {
    say(READ, asked(), 'a reply that would be right');
    lieAboutResponses(1025);
    expectBroken();
    start(0);
    lieAboutResponses(<u32>-1);
    expectBroken();
  });

  it('over a consumer index beyond what was produced', () => {
    lieAboutRequests(<u32>-1);
    ask(READ, 'x');
    expectBroken();
  });

  it('over a consumer index that fell behind the ring', () => {
    lieAboutRequests(1025);
    ask(READ, 'x');
    expectBroken();
  });

  it('and nothing of the page is touched afterwards', () => {
    lieAboutResponses(5000);
    expectBroken();
    fake_forget_sent();
    const before = load<u64>(STORE_PAGE + 2048);
    say(READ, 1, 'v');
    storeFlush();
    storeTake();
    expect(load<u64>(STORE_PAGE + 2048)).toBe(before);
    expect(fake_sent(port)).toBe(0);
  });
});
