/**
 * Sockets that wait for a command slot, by list, in the order of their deadlines: a socket that
 * leaves its place, for another command or in another life, must not keep back those behind it.
 */
import { abort } from '../../assembly/pvcalls/abi';
import { bindSocket, openSocket } from '../../assembly/pvcalls/calls';
import { handleTimeout, pollTimeout } from '../../assembly/pvcalls/instance';
import {
  enlist,
  indexOf,
  LIST_TIMED,
  socketAt,
  takeList,
  unlist,
} from '../../assembly/pvcalls/sockets';
import { ETIMEDOUT } from '../../assembly/wire/errno';
import { handles, openMany, takeAll } from './crowd';
import { fake_violations } from './fake';
import {
  boot,
  COMMAND_TIMEOUT_MS,
  configure,
  expectClosed,
  expectDone,
  expectNothing,
  skipEvents,
  sockaddr,
} from './guest';
import { attach, BIND, hasRequest, RELEASE, SOCKET, take } from './scripted-backend';

/** All slots but those of RELEASE are taken, by sockets whose deadline is COMMAND_TIMEOUT_MS. */
function fill(): void {
  for (let i = 0; i < 30; i++) openSocket(2, 1, 0);
  expect(takeAll(SOCKET)).toBe(30);
}

/** `late` began to wait at 1000 ms, and nothing before it is in its way. */
function expectOnTime(late: i32, command: u32): void {
  expect(hasRequest()).toBe(false);
  handleTimeout(COMMAND_TIMEOUT_MS);
  skipEvents();
  expect(pollTimeout()).toBe(1000);
  handleTimeout(COMMAND_TIMEOUT_MS + 999);
  expectNothing();
  handleTimeout(COMMAND_TIMEOUT_MS + 1000);
  expectDone(late, command, -ETIMEDOUT);
  expectNothing();
}

beforeEach(() => {
  configure();
  boot();
  attach(4, 0);
});

afterEach(() => {
  expect(fake_violations()).toBe(0);
});

describe('a deadline behind that of a socket that waited', () => {
  it('comes on time when that one is closed, and its entry waits again in another life', () => {
    fill();
    const first = openSocket(2, 1, 0);
    handleTimeout(1000);
    const late = openSocket(2, 1, 0);
    handleTimeout(5000);
    abort(first);
    expectClosed(first, 0);
    const again = openSocket(2, 1, 0);
    expect(again & 0xfff).toBe(first & 0xfff); // the same entry
    expectOnTime(late, SOCKET);
    handleTimeout(COMMAND_TIMEOUT_MS + 5000);
    expectDone(again, SOCKET, -ETIMEDOUT);
  });

  it('comes on time when that one is to be released instead', () => {
    openMany(2, false);
    fill();
    bindSocket(handles[0], sockaddr(80), 16);
    handleTimeout(1000);
    bindSocket(handles[1], sockaddr(81), 16);
    handleTimeout(5000);
    abort(handles[0]);
    take(RELEASE);
    expectOnTime(handles[1], BIND);
  });
});

/** Index of the socket that was first, or -1. */
function takeFirst(): i32 {
  const first = takeList(LIST_TIMED);
  return first === null ? -1 : <i32>indexOf(first);
}

describe('a socket that is taken out of a list', () => {
  it('leaves the others in their order, wherever it stood', () => {
    for (let out: u32 = 0; out < 4; out++) {
      for (let i: u32 = 0; i < 4; i++) enlist(socketAt(i), LIST_TIMED);
      unlist(socketAt(out), LIST_TIMED);
      unlist(socketAt(out), LIST_TIMED);
      for (let i: u32 = 0; i < 4; i++) {
        if (i != out) expect(takeFirst()).toBe(<i32>i);
      }
      expect(takeFirst()).toBe(-1);
      enlist(socketAt(out), LIST_TIMED);
      unlist(socketAt(out), LIST_TIMED);
      expect(takeFirst()).toBe(-1);
    }
  });
});
