/**
 * A guest in TypeScript that makes every call of pvcalls/guest against Linux's backend, with the
 * heap it may use: it is refused, echoes, waits in vain, then serves two connections at once.
 */
import {
  EAGAIN,
  ECONNREFUSED,
  EADDRINUSE,
  EBADF,
  EINVAL,
  errorName,
  ETIMEDOUT,
  exit,
  IN,
  now,
  OUT,
  Poll,
  settingIs,
  settingNumber,
  sleep,
  Socket,
  textOf,
} from 'pvcalls/guest';

const PATIENCE_MS: u32 = 20000;
const BYTES = 100001;
const SERVER_PORT: u16 = 6001;
const NOBODY: u16 = 5009;

/** More in all than the guest has memory: what is dropped must come back. */
const GARBAGE_BYTES = 1 << 20;
const GARBAGE_COUNT = 100;

function expect(what: string, actual: i32, expected: i32): void {
  if (actual == expected) return;
  console.log(`scenario: ${what}: ${actual} (${errorName(actual)}), not ${expected}`);
  exit(1);
}

function pattern(index: i32): u8 {
  return <u8>(index * 31 + (index >> 8) * 7 + 1);
}

function refuse(): void {
  expect('nobody listens', Socket.connected('127.0.0.1', NOBODY).error, -ECONNREFUSED);
  const socket = Socket.open(PATIENCE_MS);
  expect('not an address', socket.connect('127.0.0.256', 1), -EINVAL);
  expect('not four numbers', socket.connect('127.0.1', 1), -EINVAL);
  expect('close', socket.close(), 0);
  expect('after close', socket.send(new Uint8Array(1)), -EBADF);
  console.log('scenario: refused');
}

function echo(port: u16): void {
  const socket = Socket.connected('127.0.0.1', port, PATIENCE_MS);
  expect('connect', socket.error, 0);
  expect('nothing there', socket.receive(new Uint8Array(1), 0), -EAGAIN);
  const since = now();
  expect('nothing comes', socket.receive(new Uint8Array(1), 100), -ETIMEDOUT);
  sleep(50);
  expect('time passes', now() - since >= 150 ? 1 : 0, 1);
  const poll = new Poll();
  poll.set(socket, OUT);
  expect('room', poll.wait(0), 1);
  expect('is room', poll.ready(socket), OUT);
  for (let at = 0; at < BYTES;) {
    const part = new Uint8Array(min(16384, BYTES - at));
    for (let i = 0; i < part.length; i++) part[i] = pattern(at + i);
    expect('send', socket.send(part, PATIENCE_MS), part.length);
    for (const end = at + part.length; at < end;) {
      const size = socket.receive(part.subarray(0, end - at), PATIENCE_MS);
      expect('receive', size > 0 ? 1 : size, 1);
      for (let i = 0; i < size; i++) expect('byte', part[i], pattern(at++));
    }
  }
  expect('close', socket.close(PATIENCE_MS), 0);
  console.log(`scenario: echo of ${BYTES} bytes`);
}

function heap(): void {
  let sum = 0;
  for (let i = 0; i < GARBAGE_COUNT; i++) {
    const garbage = new Uint8Array(GARBAGE_BYTES);
    expect('zeroed', garbage[GARBAGE_BYTES - 1], 0);
    garbage.fill(1);
    sum += garbage.length;
  }
  console.log(`scenario: ${sum >> 20} MiB of garbage in ${memory.size() >> 4} MiB at most`);
}

/** Upper-cases what two clients say, each when it has something, and closes with the second. */
function serve(): void {
  const listener = Socket.listening(SERVER_PORT, 4);
  expect('listen', listener.error, 0);
  expect('in use', Socket.listening(SERVER_PORT).error, -EADDRINUSE);
  expect('nobody yet', listener.accept(0).error, -EAGAIN);
  console.log('scenario: listening ✓ 😀');
  const poll = new Poll();
  const clients = new Map<i32, Socket>();
  poll.set(listener, IN);
  for (let ended = 0; ended < 2;) {
    expect('poll', poll.wait(PATIENCE_MS) > 0 ? 1 : 0, 1);
    if (poll.ready(listener) & IN) {
      const client = listener.accept(PATIENCE_MS);
      expect('accept', client.error, 0);
      clients.set(client.handle, client);
      poll.set(client, IN);
    }
    const all = clients.values();
    for (let i = 0; i < all.length; i++) {
      if ((poll.ready(all[i]) & IN) == 0) continue;
      const bytes = new Uint8Array(256);
      const size = all[i].receive(bytes, 0);
      expect('client', size > 0 ? 1 : size, 1);
      all[i].sendText(textOf(bytes, size).toUpperCase());
      poll.delete(all[i]);
      clients.delete(all[i].handle);
      expect('close client', all[i].close(PATIENCE_MS), 0);
      ended++;
    }
  }
  expect('close listener', listener.close(PATIENCE_MS), 0);
  console.log('scenario: served');
}

if (settingIs('fault', 'index')) {
  const list = new Array<i32>();
  console.log(list[settingNumber('index', 5)].toString());
}
if (settingIs('fault', 'bounds')) {
  const bytes = new Uint8Array(16);
  store<u32>(changetype<usize>(bytes), 0xfffffff0, offsetof<Uint8Array>('dataStart'));
  Socket.open().send(bytes);
}
refuse();
echo(<u16>settingNumber('port', 7));
heap();
serve();
