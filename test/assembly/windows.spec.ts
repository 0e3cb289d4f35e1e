/** The zero-copy windows of a data ring. */
import {
  recv,
  recvCommit,
  recvWindow,
  send,
  sendCommit,
  sendWindow,
} from '../../assembly/pvcalls/stream';
import { EAGAIN, EINVAL } from '../../assembly/wire/errno';
import { expectBytes, fill, handle, SIZE, start } from './connected-guest';
import { fake_sent, fake_violations } from './fake';
import { SPANS, USER } from './guest';
import { consume, dataPage, dataPort, produce } from './scripted-backend';

function spanAddress(index: u32): usize {
  return load<u32>(SPANS + index * 8);
}

function spanSize(index: u32): u32 {
  return load<u32>(SPANS + index * 8, 4);
}

beforeEach(() => {
  start();
});

afterEach(() => {
  expect(fake_violations()).toBe(0);
});

describe('the windows', () => {
  it('of sending are the free bytes as two spans around the end of the array', () => {
    expect(send(handle, USER, 3000)).toBe(3000);
    store<u32>(dataPage, load<u32>(dataPage, 68), 64); // the backend has taken all
    expect(sendWindow(handle, SPANS)).toBe(SIZE);
    expect(spanSize(0) + spanSize(1)).toBe(SIZE);
    expect(spanSize(1)).toBeGreaterThan(0);
    expect(spanAddress(0) + spanSize(0)).toBe(spanAddress(1) + SIZE);
    fill(spanAddress(0), 0, spanSize(0));
    fill(spanAddress(1), spanSize(0), SIZE - spanSize(0));
    expect(fake_sent(dataPort)).toBe(1);
    expect(sendCommit(handle, spanSize(0) + 10)).toBe(spanSize(0) + 10);
    expect(fake_sent(dataPort)).toBe(2);
    consume(dataPage, 0, spanSize(0) + 10);
  });

  it('of sending take no more than they had', () => {
    send(handle, USER, SIZE - 10);
    expect(sendWindow(handle, SPANS)).toBe(10);
    expect(sendCommit(handle, 11)).toBe(-EINVAL);
    expect(sendCommit(handle, 0xffffffff)).toBe(-EINVAL);
    expect(sendCommit(handle, 0)).toBe(0);
    expect(fake_sent(dataPort)).toBe(1);
    expect(sendCommit(handle, 10)).toBe(10);
    expect(sendWindow(handle, SPANS)).toBe(-EAGAIN);
  });

  it('of receiving are the bytes that came, and are consumed as far as committed', () => {
    produce(dataPage, 0, 3000);
    recv(handle, USER, 3000, 0);
    produce(dataPage, 7, 2000);
    expect(recvWindow(handle, SPANS)).toBe(2000);
    expectBytes(spanAddress(0), 7, spanSize(0));
    expectBytes(spanAddress(1), 7 + spanSize(0), spanSize(1));
    expect(spanSize(0) + spanSize(1)).toBe(2000);
    expect(recvCommit(handle, 1500)).toBe(1500);
    expect(recvCommit(handle, 501)).toBe(-EINVAL);
    expect(recvCommit(handle, 0)).toBe(0);
    expect(recv(handle, USER, 600, 0)).toBe(500);
    expectBytes(USER, 7 + 1500, 500);
  });

  it('of receiving commit no byte that the window did not show', () => {
    produce(dataPage, 0, 10);
    expect(recvWindow(handle, SPANS)).toBe(10);
    produce(dataPage, 10, 10);
    expect(recvCommit(handle, 11)).toBe(-EINVAL);
    expect(recvCommit(handle, 10)).toBe(10);
    expect(recvWindow(handle, SPANS)).toBe(10);
  });

  it('of receiving notify by the same rule', () => {
    produce(dataPage, 0, SIZE);
    recvWindow(handle, SPANS);
    recvCommit(handle, 1);
    expect(fake_sent(dataPort)).toBe(1);
    recvCommit(handle, 1);
    expect(fake_sent(dataPort)).toBe(1);
  });
});
