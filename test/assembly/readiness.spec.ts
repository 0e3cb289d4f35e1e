/** The events that EAGAIN of send and recv arms. */
import { pollSocket } from '../../assembly/pvcalls/calls';
import { handleEvent } from '../../assembly/pvcalls/instance';
import { recv, send } from '../../assembly/pvcalls/stream';
import { COUNTER_SPURIOUS, POLLERR, POLLHUP, POLLIN, POLLOUT } from '../../assembly/wire/abi';
import { EAGAIN, ECONNRESET, ENOTCONN, EPIPE } from '../../assembly/wire/errno';
import { fill, handle, SIZE, start } from './connected-guest';
import { fake_violations } from './fake';
import { counter, expectNothing, expectReady, USER } from './guest';
import { consume, dataPage, dataPort, produce, setErrors } from './scripted-backend';

beforeEach(() => {
  start();
});

afterEach(() => {
  expect(fake_violations()).toBe(0);
});

describe('EAGAIN', () => {
  it('of recv arms one event, for bytes', () => {
    recv(handle, USER, 1, 0);
    produce(dataPage, 0, 1);
    handleEvent(dataPort);
    produce(dataPage, 1, 1);
    handleEvent(dataPort);
    expectReady(handle, POLLIN | POLLOUT);
    expectNothing();
    produce(dataPage, 2, 1);
    handleEvent(dataPort);
    expectNothing();
  });

  it('of send arms one event, for room', () => {
    fill(USER, 0, SIZE);
    send(handle, USER, SIZE);
    send(handle, USER, 1);
    handleEvent(dataPort); // nothing changed
    expectNothing();
    consume(dataPage, 0, 10);
    handleEvent(dataPort);
    expectReady(handle, POLLOUT);
    expectNothing();
  });

  it('of both arms both, told together when both have come', () => {
    fill(USER, 0, SIZE);
    send(handle, USER, SIZE);
    send(handle, USER, 1);
    recv(handle, USER, 1, 0);
    produce(dataPage, 0, 1);
    handleEvent(dataPort);
    expectReady(handle, POLLIN);
    consume(dataPage, 0, 1);
    handleEvent(dataPort);
    expectReady(handle, POLLIN | POLLOUT);
  });

  it('is woken by the errors of either side', () => {
    recv(handle, USER, 1, 0);
    setErrors(dataPage, -ENOTCONN, 0);
    handleEvent(dataPort);
    expectReady(handle, POLLIN | POLLOUT);
    start();
    recv(handle, USER, 1, 0);
    setErrors(dataPage, -ECONNRESET, 0);
    handleEvent(dataPort);
    expectReady(handle, POLLIN | POLLOUT | POLLERR);
    start();
    send(handle, USER, SIZE);
    send(handle, USER, 1);
    setErrors(dataPage, 0, -EPIPE);
    handleEvent(dataPort);
    expectReady(handle, POLLOUT | POLLERR | POLLHUP);
    expect(send(handle, USER, 1)).toBe(-EPIPE);
  });

  it('that was not answered tells of nothing; of two events for one piece of work one is', () => {
    produce(dataPage, 0, 10);
    handleEvent(dataPort);
    handleEvent(dataPort);
    expectNothing();
    expect(counter(COUNTER_SPURIOUS)).toBe(1);
  });

  it('is of no use to poll, which looks for itself', () => {
    expect(pollSocket(handle)).toBe(POLLOUT);
    produce(dataPage, 0, 1);
    expect(pollSocket(handle)).toBe(POLLIN | POLLOUT);
    expectNothing();
  });
});
