/** The instance as a whole: init, events in and out, counters, and mail that is the embedder's. */
import {
  abiVersion,
  attachPort,
  close,
  storeBuffer,
  storeRequest,
} from '../../assembly/pvcalls/abi';
import { connectSocket, openSocket } from '../../assembly/pvcalls/calls';
import { frontend } from '../../assembly/pvcalls/frontend';
import {
  handleEvent,
  handleTimeout,
  handleUpcall,
  init,
  pollTimeout,
} from '../../assembly/pvcalls/instance';
import {
  COUNTER_EVENTS,
  COUNTER_FRAMES_FREE,
  COUNTER_LATE,
  COUNTER_NOTIFICATIONS,
  COUNTER_REQUESTS,
  COUNTER_RESPONSES,
  COUNTER_SOCKETS,
  COUNTER_SPURIOUS,
  COUNTER_UNKNOWN,
  DEVICE_CONNECTED,
  DEVICE_DOWN,
  EVENT_STORE,
  INIT_ARCHITECTURE,
  INIT_ARENA,
  INIT_FRAMES,
  INIT_SHARED_INFO,
  INIT_SOCKETS,
  SOCKETS_MAX,
  TIMEOUT_NONE,
} from '../../assembly/wire/abi';
import { EINVAL, ENODEV, ENOMEM } from '../../assembly/wire/errno';
import {
  fake_calls,
  fake_port_at,
  fake_raise,
  fake_sent_total,
  fake_shared_info,
  fake_violations,
} from './fake';
import {
  ARENA,
  boot,
  CONFIG,
  configure,
  counter,
  eventA,
  eventB,
  eventC,
  eventHandle,
  expectClosed,
  expectDone,
  expectNothing,
  framesAtBoot,
  nextEvent,
  option,
  skipEvents,
  sockaddr,
} from './guest';
import { begin, configureStore, expectConnected } from './device-guest';
import {
  answer,
  attach,
  CONNECT,
  openFresh,
  openListening,
  RELEASE,
  serve,
  SOCKET,
  take,
} from './scripted-backend';
import { addDevice, follow, serveAll, serveOne, setNode } from './tiny-store';
import {
  compose,
  feed,
  requestId,
  requestText,
  requestType,
  say,
  storedTake,
} from './xenstored-end';

const INFO: usize = 0x20000;
const READ: u32 = 2;
const WATCH: u32 = 4;
const WATCH_EVENT: u32 = 15;

/** Sends a store request of the embedder's. */
function request(type: u32, text: string): i32 {
  const at = storeBuffer();
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    store<u8>(at + i, code == 0x7c ? 0 : <u8>code);
  }
  return storeRequest(type, 0, text.length);
}

function expectMail(id: i32, type: u32, text: string): void {
  expect(nextEvent()).toBe(EVENT_STORE);
  expect(eventHandle()).toBe(id);
  expect(eventC()).toBe(type);
  expect(String.UTF8.decodeUnsafe(eventA(), eventB())).toBe(text);
}

function refusal(field: u32, value: u32): i32 {
  configure();
  option(field, value);
  return init(CONFIG);
}

afterEach(() => {
  expect(fake_violations()).toBe(0);
});

describe('init', () => {
  it('refuses an arena that is none, and tables that are none', () => {
    expect(refusal(INIT_ARENA, 0)).toBe(-EINVAL);
    expect(refusal(INIT_ARENA, <u32>ARENA + 8)).toBe(-EINVAL);
    expect(refusal(INIT_FRAMES, 0)).toBe(-EINVAL);
    expect(refusal(INIT_FRAMES, 1 << 20)).toBe(-EINVAL);
    expect(refusal(INIT_FRAMES, 0xffffffff)).toBe(-EINVAL);
    expect(refusal(INIT_SOCKETS, 0)).toBe(-EINVAL);
    expect(refusal(INIT_SOCKETS, SOCKETS_MAX + 1)).toBe(-EINVAL);
  });

  it('is ENOMEM when the tables do not fit, and writes nothing beyond the arena', () => {
    let first = 0;
    for (let frames: u32 = 1; frames < 20; frames++) {
      configure();
      option(INIT_FRAMES, frames);
      memory.fill(ARENA - 64, 0xa5, 64);
      memory.fill(ARENA + frames * 4096, 0xa5, 8192);
      const result = init(CONFIG);
      for (let at: usize = 0; at < 8192; at++) {
        if (load<u8>(ARENA + frames * 4096 + at) != 0xa5) expect(frames).toBe(0);
      }
      expect(load<u64>(ARENA - 8)).toBe(0xa5a5a5a5a5a5a5a5);
      if (result == -ENOMEM) continue;
      expect(result).toBeGreaterThan(0);
      if (first == 0) first = result;
    }
    expect(first).toBeGreaterThan(0);
    expect(first).toBeLessThan(4);
  });

  it('takes the largest table', () => {
    configure();
    option(INIT_SOCKETS, SOCKETS_MAX);
    boot();
    expect(framesAtBoot).toBeGreaterThan(900);
  });

  it('takes its options', () => {
    configure();
    boot();
    expect(frontend.closeTimeoutMs).toBe(5000);
  });

  it('makes no hypercall, is at version 1, and has nothing to tell', () => {
    configure();
    boot();
    expect(fake_calls()).toBe(0);
    expect(abiVersion()).toBe(1);
    expectNothing();
    expect(pollTimeout()).toBe(TIMEOUT_NONE);
    expect(frontend.state).toBe(DEVICE_DOWN);
    expect(counter(COUNTER_FRAMES_FREE)).toBe(framesAtBoot);
  });
});

describe('events that bring nothing', () => {
  beforeEach(() => {
    configure();
    boot();
    attach(4, 0);
  });

  it('are no-ops, and counted', () => {
    const sent = fake_sent_total();
    handleEvent(attachPort());
    handleEvent(attachPort());
    handleEvent(4000);
    handleEvent(0xffffffff);
    handleUpcall(); // there is no shared_info
    expectNothing();
    expect(counter(COUNTER_EVENTS)).toBe(4);
    expect(counter(COUNTER_SPURIOUS)).toBe(2);
    expect(counter(COUNTER_UNKNOWN)).toBe(2);
    expect(fake_sent_total()).toBe(sent);
  });

  it('are told from those that do, and so are late answers', () => {
    const handle = openFresh();
    close(handle);
    serve(RELEASE, 0);
    expectClosed(handle, 0);
    expect(counter(COUNTER_REQUESTS)).toBe(2);
    expect(counter(COUNTER_RESPONSES)).toBe(2);
    expect(counter(COUNTER_NOTIFICATIONS)).toBe(2);
    expect(counter(COUNTER_SPURIOUS)).toBe(0);
    expect(counter(COUNTER_LATE)).toBe(0);
    expect(counter(COUNTER_SOCKETS)).toBe(0);
  });
});

describe('an upcall', () => {
  it('handles all ports that are pending, on both architectures', () => {
    for (let architecture: u32 = 0; architecture < 2; architecture++) {
      configure();
      memory.fill(INFO, 0, 4096);
      fake_shared_info(INFO, architecture == 0);
      option(INIT_SHARED_INFO, <u32>INFO);
      option(INIT_ARCHITECTURE, architecture);
      boot();
      attach(4, 0);
      const handle = openSocket(2, 1, 0);
      answer(take(SOCKET), 0);
      fake_raise(attachPort());
      handleUpcall();
      connectSocket(handle, sockaddr(80), 16);
      answer(take(CONNECT), 0);
      fake_raise(attachPort());
      fake_raise(fake_port_at(1)); // the new data ring, for nothing
      handleUpcall();
      expectDone(handle, CONNECT, 0);
      expectNothing();
      expect(counter(COUNTER_EVENTS)).toBe(3);
      expect(counter(COUNTER_SPURIOUS)).toBe(1);
      expect(load<u8>(INFO)).toBe(0);
    }
  });
});

describe('time', () => {
  it('that passes without anything due does nothing', () => {
    configure();
    boot();
    attach(4, 0);
    openListening();
    const calls = fake_calls();
    handleTimeout(1000);
    handleTimeout(1000);
    handleTimeout(0x7fffffff);
    expectNothing();
    expect(fake_calls()).toBe(calls);
  });
});

describe('mail that is not ours', () => {
  beforeEach(() => {
    configureStore();
    boot();
  });

  it('goes to the embedder with the number of its request', () => {
    const first = request(READ, 'name|');
    const second = request(WATCH, '/tool|mine|');
    expect(first).toBeGreaterThan(0);
    setNode('/local/domain/7/name', 'guest');
    serveAll();
    expectMail(first, READ, 'guest');
    expectMail(second, WATCH, 'OK\0');
    expectMail(0, WATCH_EVENT, '/tool\0mine\0');
    expectNothing();
  });

  it('stands in the buffer until the next poll, however much follows', () => {
    const first = request(READ, 'a|');
    expect(storedTake(1 << 16)).toBe(true);
    expect(requestType()).toBe(READ);
    expect(requestText()).toBe('a|');
    say(READ, requestId(), 'one');
    say(WATCH_EVENT, 0, '/p|token|');
    compose(WATCH_EVENT, 0, '/half|');
    feed(10);
    handleEvent(fake_port_at(0));
    handleEvent(fake_port_at(0));
    expectMail(first, READ, 'one');
    expectMail(0, WATCH_EVENT, '/p\0token\0');
    expectNothing();
  });

  it('does not hide news of the device that comes behind it', () => {
    addDevice();
    follow(true, true);
    begin();
    while (frontend.state != DEVICE_CONNECTED) {
      // Before each answer to the device comes a watch event of the embedder's.
      say(WATCH_EVENT, 0, '/p|token|');
      if (!serveOne()) break;
      while (nextEvent() != 0) continue;
      expect(frontend.news).toBe(false);
    }
    expectConnected();
  });

  it('can be asked for while the device comes up', () => {
    addDevice();
    follow(true, true);
    begin();
    setNode('/local/domain/7/name', 'guest');
    let mail = 0;
    for (let i = 0; i < 400; i++) {
      if (storeBuffer() != 0) request(READ, 'name|');
      serveOne();
      for (let kind = nextEvent(); kind != 0; kind = nextEvent()) if (kind == EVENT_STORE) mail++;
    }
    expect(frontend.state).toBe(DEVICE_CONNECTED);
    expect(mail).toBeGreaterThan(5);
  });

  it('cannot be asked for without xenstore', () => {
    configure();
    boot();
    expect(storeBuffer()).toBe(0);
    expect(storeRequest(READ, 0, 0)).toBe(-ENODEV);
    expectNothing();
    skipEvents();
  });
});
