/**
 * Every fault number that a backend can earn on the command ring and on a data ring. The device is
 * FAILED then: whoever waits has EIO, nothing of the backend's is looked at again, nothing traps.
 */
import { attachDetached, attachOffer, attachPort, close } from '../../assembly/pvcalls/abi';
import { connectSocket, openSocket, pollSocket } from '../../assembly/pvcalls/calls';
import { handleEvent, handleTimeout } from '../../assembly/pvcalls/instance';
import { recv, recvWindow, send, sendWindow } from '../../assembly/pvcalls/stream';
import {
  DEVICE_CLOSED,
  DEVICE_FAILED,
  FAULT_CMD,
  FAULT_ID,
  FAULT_IN_ERROR,
  FAULT_IN_PROD,
  FAULT_OUT_CONS,
  FAULT_OUT_ERROR,
  FAULT_REQ_ID,
  FAULT_RET,
  FAULT_RSP_PROD,
  INIT_FIRST_INDEX,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
} from '../../assembly/wire/abi';
import { EAGAIN, EIO, EISCONN, ENETDOWN } from '../../assembly/wire/errno';
import { fake_grants, fake_ports, fake_sent_total, fake_violations } from './fake';
import {
  boot,
  configure,
  eventC,
  expectClosed,
  expectDevice,
  expectDone,
  expectFramesBack,
  expectNothing,
  expectReady,
  option,
  skipEvents,
  sockaddr,
  SPANS,
  USER,
} from './guest';
import {
  attach,
  BACKEND,
  CONNECT,
  dataPage,
  dataPort,
  hasRequest,
  idOf,
  kick,
  openConnected,
  openFresh,
  produce,
  publish,
  RELEASE,
  reply,
  reqIdOf,
  respond,
  serve,
  take,
} from './scripted-backend';

const ALL: u32 = POLLIN | POLLOUT | POLLERR | POLLHUP;

let waiter: i32 = 0;
let request: usize = 0;

function start(): void {
  configure();
  boot();
  attach(4, 0);
}

/** A connect is in flight. */
function startConnecting(): void {
  start();
  waiter = openFresh();
  connectSocket(waiter, sockaddr(80), 16);
  request = take(CONNECT);
}

/** The device has failed over this, which the waiter is told once. */
function expectFault(fault: u32, value: u32): void {
  kick();
  expectDevice(DEVICE_FAILED, fault);
  expect(eventC()).toBe(value);
  expectDone(waiter, CONNECT, -EIO);
  expectReady(waiter, ALL);
  expectNothing();
}

/** A response that differs from the right one. */
function respondWrongly(reqId: u32, cmd: u32, ret: i32, id: u64): void {
  startConnecting();
  respond(reqId, cmd, ret, id);
}

afterEach(() => {
  expect(fake_violations()).toBe(0);
});

describe('on the command ring', () => {
  it('more responses than requests are RSP_PROD', () => {
    startConnecting();
    publish(3); // SOCKET is answered, CONNECT is not: 2 would be right
    expectFault(FAULT_RSP_PROD, 3);
    startConnecting();
    publish(0xffffffff);
    expectFault(FAULT_RSP_PROD, 0xffffffff);
    startConnecting();
    publish(0); // taken back
    expectFault(FAULT_RSP_PROD, 0);
  });

  it('a req_id that was never sent is REQ_ID', () => {
    const ids: u32[] = [0, 32, 33, 0x80000000, 0xffffffff];
    for (let i = 0; i < ids.length; i++) {
      startConnecting();
      respond(ids[i], CONNECT, 0, <u64>idOf(request));
      expectFault(FAULT_REQ_ID, ids[i]);
    }
  });

  it('a req_id that differs in its generation, or in its entry, is REQ_ID', () => {
    startConnecting();
    respond(reqIdOf(request) + 32, CONNECT, 0, <u64>idOf(request));
    expectFault(FAULT_REQ_ID, reqIdOf(request) + 32);
    startConnecting();
    respond(reqIdOf(request) ^ 1, CONNECT, 0, <u64>idOf(request));
    expectFault(FAULT_REQ_ID, reqIdOf(request) ^ 1);
  });

  it('a second answer to the same request is REQ_ID', () => {
    start();
    openConnected(1);
    waiter = openFresh();
    connectSocket(waiter, sockaddr(80), 16);
    request = take(CONNECT);
    const other = openFresh();
    connectSocket(other, sockaddr(80), 16);
    const answered = take(CONNECT);
    reply(answered, -111);
    skipEvents();
    respond(reqIdOf(answered), CONNECT, 0, <u64>idOf(answered));
    kick();
    expectDevice(DEVICE_FAILED, FAULT_REQ_ID);
    expect(eventC()).toBe(reqIdOf(answered));
  });

  it('another cmd is CMD', () => {
    respondWrongly(0, 0, 0, 0);
    startConnecting();
    respond(reqIdOf(request), RELEASE, 0, <u64>idOf(request));
    expectFault(FAULT_CMD, RELEASE);
    startConnecting();
    respond(reqIdOf(request), 7, 0, <u64>idOf(request));
    expectFault(FAULT_CMD, 7);
  });

  it('another id is ID, in its upper half too', () => {
    startConnecting();
    respond(reqIdOf(request), CONNECT, 0, <u64>idOf(request) + 1);
    expectFault(FAULT_ID, idOf(request) + 1);
    startConnecting();
    respond(reqIdOf(request), CONNECT, 0, (<u64>idOf(request)) | ((<u64>1) << 32));
    expectFault(FAULT_ID, idOf(request));
  });

  it('a ret that is no errno is RET', () => {
    startConnecting();
    respond(reqIdOf(request), CONNECT, 1, <u64>idOf(request));
    expectFault(FAULT_RET, 1);
    startConnecting();
    respond(reqIdOf(request), CONNECT, i32.MAX_VALUE, <u64>idOf(request));
    expectFault(FAULT_RET, 0x7fffffff);
    startConnecting();
    respond(reqIdOf(request), CONNECT, -4096, <u64>idOf(request));
    expectFault(FAULT_RET, <u32>-4096);
  });
});

/** The four ways to look at a data ring, each on a new connection. */
const BY_EVENT: u32 = 0;
const BY_POLL: u32 = 1;
const BY_CALL: u32 = 2;
const BY_WINDOW: u32 = 3;
const WAYS: u32 = 4;

/** Stores `value` at `offset` of the page of a connection, looks, and expects the fault. */
function expectDataFault(offset: usize, value: u32, fault: u32): void {
  const reading = fault == FAULT_IN_PROD || fault == FAULT_IN_ERROR;
  for (let way: u32 = 0; way < WAYS; way++) {
    start();
    const handle = openConnected(1);
    produce(dataPage, 0, 10);
    expect(recv(handle, USER, 5, 0)).toBe(5);
    expect(send(handle, USER, 10)).toBe(10);
    store<u32>(dataPage, value, 0);
    store<u32>(dataPage + offset, value);
    let result = -EIO;
    if (way == BY_EVENT) handleEvent(dataPort);
    else if (way == BY_POLL) expect(pollSocket(handle)).toBe(ALL);
    else if (way == BY_CALL) result = reading ? recv(handle, USER, 1, 0) : send(handle, USER, 1);
    else result = reading ? recvWindow(handle, SPANS) : sendWindow(handle, SPANS);
    expect(result).toBe(-EIO);
    expectDevice(DEVICE_FAILED, fault);
    expect(eventC()).toBe(value);
    expectReady(handle, ALL);
    expectNothing();
    expect(send(handle, USER, 1)).toBe(-EIO);
  }
}

describe('on a data ring', () => {
  it('an in_prod beyond the ring or moved back is IN_PROD', () => {
    expectDataFault(4, 5 + 4097, FAULT_IN_PROD);
    expectDataFault(4, 9, FAULT_IN_PROD);
    expectDataFault(4, 0x80000000, FAULT_IN_PROD);
    expectDataFault(4, 0xffffffff, FAULT_IN_PROD);
  });

  it('an out_cons beyond out_prod or moved back is OUT_CONS', () => {
    expectDataFault(64, 11, FAULT_OUT_CONS);
    expectDataFault(64, 0xffffffff, FAULT_OUT_CONS);
    expectDataFault(64, 0x80000000, FAULT_OUT_CONS);
  });

  it('an in_error that is no errno is IN_ERROR, such an out_error is OUT_ERROR', () => {
    expectDataFault(8, 0x80000000, FAULT_IN_ERROR);
    expectDataFault(72, <u32>-4096, FAULT_OUT_ERROR);
    expectDataFault(8, 1, FAULT_IN_ERROR);
    expectDataFault(8, 0x7fffffff, FAULT_IN_ERROR);
    expectDataFault(72, 107, FAULT_OUT_ERROR);
  });

  it('what is right at 2^32 is no fault', () => {
    configure();
    option(INIT_FIRST_INDEX, 0xfffffff0);
    boot();
    attach(4, 0);
    const handle = openConnected(1);
    produce(dataPage, 0, 4096);
    expect(recv(handle, USER, 4096, 0)).toBe(4096);
    store<u32>(dataPage, 0, 64); // out_cons 0 while out_prod still is 0xfffffff0: a lie
    handleEvent(dataPort);
    expectDevice(DEVICE_FAILED, FAULT_OUT_CONS);
    expect(recv(handle, USER, 4096, 0)).toBe(-EIO);
  });

  it('is found while close waits for the backend too', () => {
    start();
    const handle = openConnected(1);
    send(handle, USER, 10);
    close(handle);
    store<u32>(dataPage, 11, 64);
    handleEvent(dataPort);
    expectDevice(DEVICE_FAILED, FAULT_OUT_CONS);
    expectClosed(handle, -EIO);
    start();
    const second = openConnected(1);
    send(second, USER, 10);
    close(second);
    store<i32>(dataPage, 5, 72);
    handleTimeout(1);
    expectDevice(DEVICE_FAILED, FAULT_OUT_ERROR);
    expectClosed(second, -EIO);
  });

  it('of a closed socket is not looked at', () => {
    start();
    const handle = openConnected(1);
    close(handle);
    const release = take(RELEASE);
    store<u32>(dataPage, 0xffffffff, 4);
    handleEvent(dataPort);
    reply(release, 0);
    handleEvent(dataPort);
    expectClosed(handle, 0);
    expectNothing();
  });
});

describe('a failed device', () => {
  beforeEach(() => {
    startConnecting();
    respond(reqIdOf(request), CONNECT, 1, <u64>idOf(request));
    kick();
    skipEvents();
  });

  it('has closed the port of its command ring and sends nothing more', () => {
    expect(attachPort()).toBe(0);
    const sent = fake_sent_total();
    expect(openSocket(2, 1, 0)).toBe(-ENETDOWN);
    close(waiter);
    expectClosed(waiter, 0);
    handleTimeout(100000);
    expect(fake_sent_total()).toBe(sent);
    expect(hasRequest()).toBe(false);
  });

  it('takes no further answers', () => {
    respond(reqIdOf(request), CONNECT, 0, <u64>idOf(request));
    handleEvent(9);
    handleEvent(attachPort());
    expectNothing();
  });

  it('gives everything back when it is detached, and can be offered anew', () => {
    expect(attachOffer(BACKEND)).toBe(-EISCONN);
    close(waiter);
    attachDetached();
    expectDevice(DEVICE_CLOSED, FAULT_RET);
    expectClosed(waiter, 0);
    expectNothing();
    expect(fake_grants()).toBe(0);
    expect(fake_ports()).toBe(0);
    expectFramesBack();
    attach(4, 0);
    const handle = openConnected(1);
    expect(recv(handle, USER, 1, 0)).toBe(-EAGAIN);
    close(handle);
    serve(RELEASE, 0);
    expectClosed(handle, 0);
  });
});
