/**
 * A guest in TypeScript (AssemblyScript) without a kernel: sockets that block, time, settings; the
 * console is `console.log`. `pvcalls image app.ts -o guest.img` makes an image of a program.
 *
 *     import { errorName, Socket } from 'pvcalls/guest';
 *
 *     const echo = Socket.connected('127.0.0.1', 7);
 *     console.log('connect: ' + errorName(echo.error));
 *
 * - Timeouts are milliseconds: FOREVER, or 0 not to wait at all. A call that has not done its work
 *   in time answers -ETIMEDOUT, with a timeout of 0 -EAGAIN (connect, bind, listen and close:
 *   -EINPROGRESS). What it began goes on: call it again to go on waiting.
 * - Errors are negative results; nothing is thrown. -EIO: the device was lost; close the socket and
 *   open another, which waits for the device to come back.
 * - The program is one thread, from its first statement to its last, which ends the guest with 0.
 *   Between two calls nothing moves, so a guest that computes for long has its peers wait.
 */

/**
 * What the world below supplies: the calls of pvcalls_guest.h, made by program.c. Addresses are the
 * program's; results and timeouts are those of C.
 */
declare namespace calls {
  function socket(timeoutMs: u32): i32;
  function set_ring_order(socket: i32, order: u32): i32;
  /** `ip`: the first number of the four is the highest byte. */
  function connect(socket: i32, ip: u32, port: u32, timeoutMs: u32): i32;
  function bind(socket: i32, ip: u32, port: u32, timeoutMs: u32): i32;
  function listen(socket: i32, backlog: u32, timeoutMs: u32): i32;
  function accept(socket: i32, timeoutMs: u32): i32;
  function send(socket: i32, from: usize, size: u32, timeoutMs: u32): i32;
  function receive(socket: i32, to: usize, size: u32, timeoutMs: u32): i32;
  /** `entries`: three words each, socket, wanted, ready. */
  function poll(entries: usize, count: u32, timeoutMs: u32): i32;
  function close(socket: i32, timeoutMs: u32): i32;
  function abort(socket: i32): i32;
  function now(): u32;
  function sleep(ms: u32): void;
  function exit(code: i32): void;
  /** Names and values end with a 0. */
  function setting_is(name: usize, nameSize: u32, value: usize, size: u32): bool;
  function setting_number(name: usize, nameSize: u32, otherwise: u32): u32;
  /** Writes the name of an error without a 0, up to `size` bytes. Result: how many. */
  function error_name(error: i32, to: usize, size: u32): u32;
}

/** As a timeout. */
export const FOREVER: u32 = 0xffffffff;

/** Of poll: bytes or a connection are there, or the end of the stream. */
export const IN: u32 = 1;
/** Of poll: there is room to send. */
export const OUT: u32 = 4;
/** Of poll, wanted or not: the socket has failed. */
export const ERR: u32 = 8;
/** Of poll, wanted or not: the other end is gone. */
export const HUP: u32 = 16;

// Results are these, negative: `socket.connect(...) == -ECONNREFUSED`.
export const EIO: i32 = 5;
export const EBADF: i32 = 9;
export const EAGAIN: i32 = 11;
export const ENODEV: i32 = 19;
export const EINVAL: i32 = 22;
export const EPIPE: i32 = 32;
export const EADDRINUSE: i32 = 98;
export const ECONNRESET: i32 = 104;
export const ENOTCONN: i32 = 107;
export const ETIMEDOUT: i32 = 110;
export const ECONNREFUSED: i32 = 111;
export const EHOSTUNREACH: i32 = 113;
export const EINPROGRESS: i32 = 115;

/** `ECONNREFUSED` of -111; `no error` of everything that is not negative. */
export function errorName(result: i32): string {
  const name = new Uint8Array(24);
  return textOf(name, calls.error_name(result, name.dataStart, name.length));
}

/** The first `size` bytes as UTF-8. */
export function textOf(bytes: Uint8Array, size: i32 = bytes.length): string {
  const most = min(max(size, 0), bytes.length);
  return String.UTF8.decodeUnsafe(bytes.dataStart, <usize>most);
}

/** Text as UTF-8. */
export function bytesOf(text: string): Uint8Array {
  return Uint8Array.wrap(String.UTF8.encode(text));
}

/** `a.b.c.d` as a number, a being its highest byte; -1 for anything else. */
function parseAddress(text: string): i64 {
  const parts = text.split('.');
  if (parts.length != 4) return -1;
  let address: i64 = 0;
  for (let part = 0; part < 4; part++) {
    const digits = parts[part];
    let value: i32 = digits.length == 0 ? 256 : 0;
    for (let i = 0; i < digits.length && value < 256; i++) {
      const digit = digits.charCodeAt(i) - 48;
      value = digit >= 0 && digit <= 9 ? value * 10 + digit : 256;
    }
    if (value > 255) return -1;
    address = (address << 8) | value;
  }
  return address;
}

/** A TCP socket of the backend's, or why there is none: then every call answers `error`. */
export class Socket {
  private constructor(
    /** Of the core; negative: the error. */
    readonly handle: i32,
  ) {}

  /** Brings the device up first, or up again: waits for the backend. -ENODEV: there is none. */
  static open(timeoutMs: u32 = FOREVER): Socket {
    return new Socket(calls.socket(timeoutMs));
  }

  /** A socket that is connected to `address`, `a.b.c.d`, or the error. */
  static connected(address: string, port: u16, timeoutMs: u32 = FOREVER): Socket {
    const socket = Socket.open(timeoutMs);
    return socket.orError(socket.connect(address, port, timeoutMs));
  }

  /** A socket that listens on a port of the backend's domain, or the error. */
  static listening(port: u16, backlog: u32 = 16, address: string = '0.0.0.0'): Socket {
    const socket = Socket.open();
    const bound = socket.bind(port, address);
    return socket.orError(bound < 0 ? bound : socket.listen(backlog));
  }

  /** 0; or why there is no socket. */
  get error(): i32 {
    return this.handle < 0 ? this.handle : 0;
  }

  /** The order of rings, 1 to 9 (default 4: 2^4 pages), that connect or accept will make. */
  setRingOrder(order: u32): i32 {
    return this.handle < 0 ? this.handle : calls.set_ring_order(this.handle, order);
  }

  /** 0; or the backend's error: -ECONNREFUSED, -EHOSTUNREACH, ... */
  connect(address: string, port: u16, timeoutMs: u32 = FOREVER): i32 {
    const ip = parseAddress(address);
    if (this.handle < 0 || ip < 0) return this.handle < 0 ? this.handle : -EINVAL;
    return calls.connect(this.handle, <u32>ip, port, timeoutMs);
  }

  /** 0; or -EADDRINUSE, ... */
  bind(port: u16, address: string = '0.0.0.0', timeoutMs: u32 = FOREVER): i32 {
    const ip = parseAddress(address);
    if (this.handle < 0 || ip < 0) return this.handle < 0 ? this.handle : -EINVAL;
    return calls.bind(this.handle, <u32>ip, port, timeoutMs);
  }

  listen(backlog: u32 = 16, timeoutMs: u32 = FOREVER): i32 {
    return this.handle < 0 ? this.handle : calls.listen(this.handle, backlog, timeoutMs);
  }

  /** A connection to this listener, or the error. */
  accept(timeoutMs: u32 = FOREVER): Socket {
    return new Socket(this.handle < 0 ? this.handle : calls.accept(this.handle, timeoutMs));
  }

  /** Bytes taken: all, or as many as there was time for; an error only when there was none. */
  send(bytes: Uint8Array, timeoutMs: u32 = FOREVER): i32 {
    if (this.handle < 0) return this.handle;
    return calls.send(this.handle, bytes.dataStart, bytes.length, timeoutMs);
  }

  /** Text as UTF-8. Result: as of send, bytes. */
  sendText(text: string, timeoutMs: u32 = FOREVER): i32 {
    return this.send(bytesOf(text), timeoutMs);
  }

  /** Bytes that came, as soon as there are any; 0: end of the stream. */
  receive(to: Uint8Array, timeoutMs: u32 = FOREVER): i32 {
    if (this.handle < 0) return this.handle;
    return calls.receive(this.handle, to.dataStart, to.length, timeoutMs);
  }

  /**
   * 0, once the backend has taken what was sent (it has 5 s) and let go; or how that failed. The
   * socket is gone then; when time is up, the close goes on by itself.
   */
  close(timeoutMs: u32 = FOREVER): i32 {
    return this.handle < 0 ? this.handle : calls.close(this.handle, timeoutMs);
  }

  /** Lets go without waiting, and drops what was sent. */
  abort(): i32 {
    return this.handle < 0 ? this.handle : calls.abort(this.handle);
  }

  private orError(result: i32): Socket {
    if (result >= 0 || this.handle < 0) return this;
    calls.abort(this.handle);
    return new Socket(result);
  }
}

/** Waits for several sockets. */
export class Poll {
  /** Socket, wanted, ready, of each. */
  private readonly entries: Array<i32> = [];

  /** Waits for `wanted`, IN or OUT or both, of this socket too; or from now on for these. */
  set(socket: Socket, wanted: u32): void {
    const index = this.indexOf(socket);
    if (index >= 0) {
      this.entries[index + 1] = wanted;
      return;
    }
    this.entries.push(socket.handle);
    this.entries.push(wanted);
    this.entries.push(0);
  }

  delete(socket: Socket): void {
    const index = this.indexOf(socket);
    if (index >= 0) this.entries.splice(index, 3);
  }

  /** Waits until something wanted holds; how many sockets are ready, 0 when time is up. */
  wait(timeoutMs: u32 = FOREVER): i32 {
    return calls.poll(this.entries.dataStart, this.entries.length / 3, timeoutMs);
  }

  /** What held of this socket when wait returned: of what was wanted, and of ERR and HUP. */
  ready(socket: Socket): u32 {
    const index = this.indexOf(socket);
    return index < 0 ? 0 : this.entries[index + 2];
  }

  private indexOf(socket: Socket): i32 {
    for (let i = 0; i < this.entries.length; i += 3) {
      if (this.entries[i] == socket.handle) return i;
    }
    return -1;
  }
}

/** Milliseconds, modulo 2^32. */
export function now(): u32 {
  return calls.now();
}

/** Sockets go on meanwhile. */
export function sleep(ms: u32): void {
  calls.sleep(ms);
}

/** Ends the guest, after the device was closed: 0 powers off, others crash. */
export function exit(code: i32): void {
  calls.exit(code);
}

/** Whether the boot arguments (xl: extra=) have the word `name=value`. */
export function settingIs(name: string, value: string): bool {
  const a = String.UTF8.encode(name, true);
  const b = String.UTF8.encode(value, true);
  return calls.setting_is(changetype<usize>(a), a.byteLength, changetype<usize>(b), b.byteLength);
}

/** The number of the word `name=number` of the boot arguments. */
export function settingNumber(name: string, otherwise: u32): u32 {
  const a = String.UTF8.encode(name, true);
  return calls.setting_number(changetype<usize>(a), a.byteLength, otherwise);
}
