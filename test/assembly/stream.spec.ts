/** Bytes of a connected socket: sending and receiving. */
import { connectSocket } from '../../assembly/pvcalls/calls';
import {
  recv,
  recvCommit,
  recvv,
  recvWindow,
  send,
  sendCommit,
  sendv,
  sendWindow,
} from '../../assembly/pvcalls/stream';
import { MSG_PEEK } from '../../assembly/wire/abi';
import {
  EAGAIN,
  EBADF,
  ECONNRESET,
  EINVAL,
  ENOTCONN,
  EPIPE,
  ETIMEDOUT,
} from '../../assembly/wire/errno';
import { expectBytes, fill, handle, SIZE, start } from './connected-guest';
import { fake_seen_at_send, fake_sent, fake_violations, fake_watch_at_send } from './fake';
import { sockaddr, SPANS, USER } from './guest';
import { consume, dataPage, dataPort, openFresh, produce, setErrors } from './scripted-backend';

function span(index: u32, address: usize, size: u32): void {
  store<u32>(SPANS + index * 8, <u32>address);
  store<u32>(SPANS + index * 8, size, 4);
}

beforeEach(() => {
  start();
});

afterEach(() => {
  expect(fake_violations()).toBe(0);
});

describe('send', () => {
  it('publishes bytes and notifies once, after they are there', () => {
    fill(USER, 0, 100);
    fake_watch_at_send(dataPort, dataPage + 68);
    expect(send(handle, USER, 100)).toBe(100);
    expect(fake_sent(dataPort)).toBe(1);
    expect(fake_seen_at_send(dataPort)).toBe(0xfffffc00 + 100);
    consume(dataPage, 0, 100);
  });

  it('takes what there is room for, over the end of the array and of the numbers', () => {
    fill(USER, 0, 8000);
    expect(send(handle, USER, 3000)).toBe(3000);
    consume(dataPage, 0, 3000);
    expect(send(handle, USER + 3000, 5000)).toBe(4096);
    consume(dataPage, 3000, 4096);
    expect(send(handle, USER + 7096, 100)).toBe(100);
    consume(dataPage, 7096, 100);
  });

  it('is EAGAIN when the ring is full, and not notified', () => {
    fill(USER, 0, SIZE);
    expect(send(handle, USER, SIZE)).toBe(SIZE);
    const sent = fake_sent(dataPort);
    expect(send(handle, USER, 1)).toBe(-EAGAIN);
    expect(fake_sent(dataPort)).toBe(sent);
  });

  it('of nothing is 0, whether there is room or not', () => {
    expect(send(handle, USER, 0)).toBe(0);
    expect(fake_sent(dataPort)).toBe(0);
    send(handle, USER, SIZE);
    expect(send(handle, USER, 0)).toBe(0);
  });

  it('gathers spans in order, as far as there is room', () => {
    fill(USER, 0, SIZE + 100);
    span(0, USER, 10);
    span(1, USER + 10, 0);
    span(2, USER + 10, 90);
    span(3, USER + 100, SIZE);
    expect(sendv(handle, SPANS, 4)).toBe(SIZE);
    expect(fake_sent(dataPort)).toBe(1);
    consume(dataPage, 0, SIZE);
    expect(sendv(handle, SPANS, 0)).toBe(0);
    expect(sendv(handle, SPANS, 65)).toBe(-EINVAL);
  });

  it('reports the error of the backend; ENOTCONN is a broken pipe', () => {
    setErrors(dataPage, 0, -ECONNRESET);
    expect(send(handle, USER, 1)).toBe(-ECONNRESET);
    expect(sendWindow(handle, SPANS)).toBe(-ECONNRESET);
    start();
    setErrors(dataPage, 0, -ENOTCONN);
    expect(send(handle, USER, 1)).toBe(-EPIPE);
    setErrors(dataPage, 0, 0); // it is latched
    expect(send(handle, USER, 1)).toBe(-EPIPE);
    expect(recv(handle, USER, 1, 0)).toBe(-EAGAIN);
  });
});

describe('recv', () => {
  it('gives what is there, up to what is asked for', () => {
    produce(dataPage, 0, 100);
    expect(recv(handle, USER, 60, 0)).toBe(60);
    expect(recv(handle, USER + 60, 100, 0)).toBe(40);
    expectBytes(USER, 0, 100);
    expect(recv(handle, USER, 1, 0)).toBe(-EAGAIN);
  });

  it('reads a whole ring over the end of the array and of the numbers', () => {
    produce(dataPage, 0, 3000);
    recv(handle, USER, 3000, 0);
    produce(dataPage, 3000, SIZE);
    expect(recv(handle, USER + 3000, SIZE, 0)).toBe(SIZE);
    expectBytes(USER, 0, 3000 + SIZE);
  });

  it('notifies only when the ring may have been full', () => {
    produce(dataPage, 0, SIZE - 1);
    recv(handle, USER, 10, 0);
    expect(fake_sent(dataPort)).toBe(0);
    produce(dataPage, SIZE - 1, 11);
    recv(handle, USER, 10, 0);
    expect(fake_sent(dataPort)).toBe(1);
    recv(handle, USER, 10, 0);
    expect(fake_sent(dataPort)).toBe(1);
  });

  it('with MSG_PEEK consumes nothing and notifies nobody', () => {
    produce(dataPage, 0, SIZE);
    expect(recv(handle, USER, 100, MSG_PEEK)).toBe(100);
    expectBytes(USER, 0, 100);
    expect(load<u32>(dataPage)).toBe(0xfffffc00);
    expect(fake_sent(dataPort)).toBe(0);
    memory.fill(USER, 0, 100);
    expect(recv(handle, USER, 100, 0)).toBe(100);
    expectBytes(USER, 0, 100);
  });

  it('scatters into spans in order', () => {
    produce(dataPage, 0, 100);
    span(0, USER, 10);
    span(1, USER + 10, 0);
    span(2, USER + 10, 200);
    expect(recvv(handle, SPANS, 3, MSG_PEEK)).toBe(100);
    expectBytes(USER, 0, 100);
    memory.fill(USER, 0, 100);
    span(2, USER + 10, 40);
    expect(recvv(handle, SPANS, 3, 0)).toBe(50);
    expectBytes(USER, 0, 50);
    expect(recvv(handle, SPANS, 65, 0)).toBe(-EINVAL);
    expect(recv(handle, USER, 100, 0)).toBe(50);
  });

  it('drains the data before it reports an error', () => {
    produce(dataPage, 0, 10);
    setErrors(dataPage, -ECONNRESET, 0);
    expect(recv(handle, USER, 6, 0)).toBe(6);
    expect(recv(handle, USER + 6, 6, 0)).toBe(4);
    expectBytes(USER, 0, 10);
    expect(recv(handle, USER, 6, 0)).toBe(-ECONNRESET);
    expect(recv(handle, USER, 6, 0)).toBe(-ECONNRESET);
  });

  it('is 0 at the end of the stream, again and again, and sending goes on', () => {
    produce(dataPage, 0, 3);
    setErrors(dataPage, -ENOTCONN, 0);
    expect(recv(handle, USER, 6, 0)).toBe(3);
    expect(recv(handle, USER, 6, 0)).toBe(0);
    setErrors(dataPage, -ETIMEDOUT, 0); // latched
    expect(recv(handle, USER, 6, 0)).toBe(0);
    expect(recvWindow(handle, SPANS)).toBe(0);
    expect(send(handle, USER, 5)).toBe(5);
  });
});

describe('a socket that is not connected', () => {
  it('is ENOTCONN, and no socket is EBADF', () => {
    const fresh = openFresh();
    expect(send(fresh, USER, 1)).toBe(-ENOTCONN);
    expect(recv(fresh, USER, 1, 0)).toBe(-ENOTCONN);
    expect(sendWindow(fresh, SPANS)).toBe(-ENOTCONN);
    expect(recvCommit(fresh, 0)).toBe(-ENOTCONN);
    connectSocket(fresh, sockaddr(80), 16);
    expect(send(fresh, USER, 1)).toBe(-ENOTCONN);
    expect(send(0, USER, 1)).toBe(-EBADF);
    expect(recvv(0xffffffff, SPANS, 0, 0)).toBe(-EBADF);
    expect(sendCommit(handle + (1 << 12), 0)).toBe(-EBADF);
  });
});
