/**
 * Event storms: events without work behind them are counted per port, and past a limit the port is
 * masked until the window is over. Work is never late for them, and nothing is ever lost.
 */
import { STORM_MS, USELESS_MAX } from '../../assembly/guest/storm';
import { abort, attachDetached, attachPort, close } from '../../assembly/pvcalls/abi';
import { connectSocket, openSocket, pollSocket } from '../../assembly/pvcalls/calls';
import {
  handleEvent,
  handleTimeout,
  handleUpcall,
  pollTimeout,
} from '../../assembly/pvcalls/instance';
import { recv, send } from '../../assembly/pvcalls/stream';
import {
  COUNTER_EVENTS,
  COUNTER_SPURIOUS,
  COUNTER_UNKNOWN,
  INIT_COMMAND_TIMEOUT_MS,
  INIT_FLAGS,
  INIT_REUSE,
  INIT_SHARED_INFO,
  INIT_STORE_PORT,
  POLLIN,
  POLLOUT,
  TIMEOUT_NONE,
} from '../../assembly/wire/abi';
import { EAGAIN } from '../../assembly/wire/errno';
import { begin, configureStore, expectConnected } from './device-guest';
import {
  fake_calls,
  fake_is_masked,
  fake_masked,
  fake_ports,
  fake_raise,
  fake_shared_info,
  fake_violations,
} from './fake';
import {
  boot,
  CONFIG,
  configure,
  counter,
  expectDone,
  expectFramesBack,
  expectNothing,
  expectReady,
  option,
  skipEvents,
  sockaddr,
  USER,
} from './guest';
import {
  answer,
  attach,
  CONNECT,
  dataPage,
  dataPort,
  hasRequest,
  openConnected,
  openFresh,
  produce,
  RELEASE,
  serve,
  SOCKET,
  take,
} from './scripted-backend';
import { addDevice, follow } from './tiny-store';
import { say } from './xenstored-end';
import { XS_WATCH_EVENT } from '../../assembly/wire/xenstore';

const INFO: usize = 0x20000;

/** As many useless events as make the port masked. */
function storm(port: u32): void {
  for (let i: u32 = 0; i < USELESS_MAX; i++) handleEvent(port);
  expect(fake_is_masked(port)).toBe(1);
}

function start(): void {
  configure();
  option(INIT_COMMAND_TIMEOUT_MS, 0);
  boot();
  attach(4, 0);
}

/** A socket in whose ring nothing stands, waiting for data. */
function idle(): i32 {
  const handle = openConnected(1);
  handleTimeout(1000);
  expect(recv(handle, USER, 100, 0)).toBe(-EAGAIN);
  return handle;
}

describe('a storm', () => {
  beforeEach(start);

  afterEach(() => {
    expect(fake_violations()).toBe(0);
  });

  it('masks a data port at the limit and not before, once', () => {
    idle();
    for (let i: u32 = 1; i < USELESS_MAX; i++) handleEvent(dataPort);
    expect(fake_is_masked(dataPort)).toBe(0);
    const calls = fake_calls();
    for (let i = 0; i < 1000; i++) handleEvent(dataPort); // a kernel that does not mind the mask
    expect(fake_is_masked(dataPort)).toBe(1);
    expect(fake_calls()).toBe(calls + 1);
    expect(counter(COUNTER_SPURIOUS)).toBe(USELESS_MAX - 1 + 1000);
    expectNothing();
  });

  it('is over with the window, and the port is looked at: nothing is lost', () => {
    const handle = idle();
    storm(dataPort);
    produce(dataPage, 0, 10); // and no event: it is masked
    expect(pollTimeout()).toBe(STORM_MS);
    handleTimeout(1000 + STORM_MS - 1);
    expectNothing();
    expect(fake_is_masked(dataPort)).toBe(1);
    handleTimeout(1000 + STORM_MS);
    expect(fake_is_masked(dataPort)).toBe(0);
    expectReady(handle, POLLIN | POLLOUT);
    expect(recv(handle, USER, 100, 0)).toBe(10);
  });

  it('leaves nothing to be waited for when it has ended', () => {
    idle();
    storm(dataPort);
    handleTimeout(1000 + STORM_MS);
    handleTimeout(1000 + STORM_MS * 2); // the look was useless too
    expect(pollTimeout()).toBe(TIMEOUT_NONE);
    expect(fake_masked()).toBe(0);
    const calls = fake_calls();
    handleTimeout(1000 + STORM_MS * 9);
    expect(fake_calls()).toBe(calls);
  });

  it('that goes on for ever costs the same in every window, on all sockets together', () => {
    const ports: u32[] = [attachPort()];
    for (let i = 0; i < 20; i++) {
      idle();
      ports.push(dataPort);
    }
    const before = counter(COUNTER_SPURIOUS);
    const windows: u32 = 50;
    for (let now: u32 = 1000; now < 1000 + windows * STORM_MS; now++) {
      handleTimeout(now);
      for (let i = 0; i < ports.length; i++) {
        if (fake_is_masked(ports[i]) == 0) handleEvent(ports[i]);
      }
    }
    const looks = counter(COUNTER_SPURIOUS) - before;
    expect(looks).toBeLessThan(windows * ports.length * (USELESS_MAX + 1) + 1);
    expect(looks).toBeGreaterThan(windows * ports.length * USELESS_MAX - 1);
  });

  it('on the command port does not keep an answer back for longer than the window', () => {
    const handle = openSocket(2, 1, 0);
    const request = take(SOCKET);
    connectSocket(handle, sockaddr(80), 16); // sent when SOCKET is answered
    handleTimeout(1000);
    storm(attachPort());
    answer(request, 0);
    expect(pollTimeout()).toBe(STORM_MS);
    handleTimeout(1000 + STORM_MS - 1);
    expect(hasRequest()).toBe(false);
    handleTimeout(1000 + STORM_MS);
    expect(fake_is_masked(attachPort())).toBe(0);
    serve(CONNECT, 0);
    expectDone(handle, CONNECT, 0);
  });

  it('on one port leaves the others alone', () => {
    idle();
    const stormed = dataPort;
    const handle = idle();
    storm(stormed);
    produce(dataPage, 0, 10);
    handleEvent(dataPort);
    expectReady(handle, POLLIN | POLLOUT);
    expect(fake_masked()).toBe(1);
  });

  it('does not keep a program from its data: only the event is late', () => {
    const handle = idle();
    storm(dataPort);
    produce(dataPage, 0, 10);
    expect(recv(handle, USER, 100, 0)).toBe(10);
    expect(send(handle, USER, 10)).toBe(10);
    expect(pollSocket(handle)).toBe(POLLOUT);
  });

  it('does not outlive its port: the number is given out again unmasked', () => {
    for (let life = 0; life < 200; life++) {
      const handle = idle(); // all numbers in turn, then those given back
      expect(fake_is_masked(dataPort)).toBe(0);
      storm(dataPort);
      abort(handle);
      serve(RELEASE, 0);
      skipEvents();
      expect(fake_masked()).toBe(0);
    }
    storm(attachPort());
    attachDetached();
    expect(fake_masked()).toBe(0);
    expect(fake_ports()).toBe(0);
    expectFramesBack();
  });
});

describe('an event with work behind it', () => {
  beforeEach(start);

  it('is never one too many', () => {
    const handle = idle();
    for (let i = 0; i < 1000; i++) {
      produce(dataPage, i, 1);
      handleEvent(dataPort);
      recv(handle, USER, 1, 0);
    }
    for (let i = 0; i < 1000; i++) {
      expect(send(handle, USER, 1)).toBe(1);
      store<u32>(dataPage, load<u32>(dataPage, 68), 64); // out_cons
      handleEvent(dataPort);
    }
    expect(counter(COUNTER_SPURIOUS)).toBe(0);
    expect(fake_masked()).toBe(0);
  });

  it('starts the count anew', () => {
    const handle = idle();
    for (let i = 0; i < 10; i++) {
      for (let j: u32 = 1; j < USELESS_MAX; j++) handleEvent(dataPort);
      produce(dataPage, i, 1);
      handleEvent(dataPort);
      recv(handle, USER, 1, 0);
    }
    for (let i = 0; i < 10; i++) {
      const other = openSocket(2, 1, 0);
      for (let j: u32 = 1; j < USELESS_MAX; j++) handleEvent(attachPort());
      serve(SOCKET, 0);
      expect(other).toBeGreaterThan(0);
    }
    expect(fake_masked()).toBe(0);
  });

  it('may come after a call has seen the work', () => {
    const handle = idle();
    const before = counter(COUNTER_SPURIOUS);
    for (let i = 0; i < 100; i++) {
      produce(dataPage, i, 1);
      expect(recv(handle, USER, 1, 0)).toBe(1);
      handleEvent(dataPort);
    }
    expect(counter(COUNTER_SPURIOUS)).toBe(before);
    expect(fake_masked()).toBe(0);
  });

  it('need not be waited for: data nobody asked about is work', () => {
    openConnected(1);
    for (let i = 0; i < 100; i++) {
      produce(dataPage, i, 1);
      handleEvent(dataPort);
    }
    expect(counter(COUNTER_SPURIOUS)).toBe(0);
  });

  it('unmasks a port at once, from a kernel that tells of it all the same', () => {
    const handle = idle();
    storm(dataPort);
    produce(dataPage, 0, 10);
    handleEvent(dataPort);
    expect(fake_is_masked(dataPort)).toBe(0);
    expectReady(handle, POLLIN | POLLOUT);
  });
});

describe('useless events', () => {
  beforeEach(start);

  it('that come slowly are no storm', () => {
    idle();
    for (let now: u32 = 1000; now < 100000; now += STORM_MS) {
      handleTimeout(now);
      for (let j: u32 = 1; j < USELESS_MAX; j++) handleEvent(dataPort);
      expect(fake_masked()).toBe(0);
    }
  });

  it('of ports that are closed, or not ours, are counted and never touched', () => {
    const handle = idle();
    const closed = dataPort;
    abort(handle);
    serve(RELEASE, 0);
    skipEvents();
    const calls = fake_calls();
    for (let i = 0; i < 100; i++) {
      handleEvent(closed);
      handleEvent(4095);
      handleEvent(0xffffffff);
    }
    handleTimeout(5000);
    expect(counter(COUNTER_UNKNOWN)).toBe(300);
    expect(fake_calls()).toBe(calls);
  });
});

describe('a ring kept for reuse', () => {
  it('takes its mask along, and is unmasked under its next owner', () => {
    configure();
    option(INIT_FLAGS, INIT_REUSE);
    boot();
    attach(4, 0);
    const other = openFresh();
    const first = idle();
    const port = dataPort;
    storm(port);
    close(first);
    serve(RELEASE, 0);
    close(other);
    serve(RELEASE, 0);
    skipEvents();
    const second = idle(); // has the entry of `other`, to which the ring moves
    expect(second & 0xfff).toBe(other & 0xfff);
    expect(dataPort).toBe(port);
    produce(dataPage, 0, 10);
    handleTimeout(1000 + STORM_MS);
    expect(fake_masked()).toBe(0);
    expectReady(second, POLLIN | POLLOUT);
  });
});

describe('with shared_info', () => {
  it('a masked port stays pending without an upcall, and comes back with one', () => {
    configure();
    memory.fill(INFO, 0, 4096);
    option(INIT_SHARED_INFO, <u32>INFO);
    fake_shared_info(INFO, true);
    boot();
    attach(4, 0);
    const handle = idle();
    for (let i: u32 = 0; i < USELESS_MAX; i++) {
      fake_raise(dataPort);
      handleUpcall();
    }
    expect(fake_is_masked(dataPort)).toBe(1);
    const events = counter(COUNTER_EVENTS);
    produce(dataPage, 0, 10);
    fake_raise(dataPort);
    expect(load<u8>(INFO)).toBe(0); // no upcall
    handleUpcall();
    expect(counter(COUNTER_EVENTS)).toBe(events);
    expectNothing();
    handleTimeout(1000 + STORM_MS);
    expectReady(handle, POLLIN | POLLOUT);
    expect(load<u8>(INFO)).toBe(1);
    handleUpcall();
    expect(load<u8>(INFO)).toBe(0);
  });
});

describe('the port of xenstore', () => {
  it('is masked and comes back like any other', () => {
    configureStore();
    addDevice();
    follow(true, true);
    const port = load<u32>(CONFIG + INIT_STORE_PORT);
    begin();
    expectConnected();
    skipEvents();
    handleTimeout(1000);
    storm(port);
    say(XS_WATCH_EVENT, 0, 'a|t|');
    handleTimeout(1000 + STORM_MS);
    expect(fake_is_masked(port)).toBe(0);
    const before = counter(COUNTER_SPURIOUS);
    for (let i = 0; i < 100; i++) {
      skipEvents();
      say(XS_WATCH_EVENT, 0, 'a|t|');
      handleEvent(port);
    }
    expect(counter(COUNTER_SPURIOUS)).toBe(before);
  });
});
