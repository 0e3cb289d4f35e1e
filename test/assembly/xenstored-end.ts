/**
 * xenstored's end of the ring page, byte by byte: takes requests, writes replies. Nothing happens
 * by itself. C reference: public/io/xs_wire.h, whose offsets are written out here once more.
 */
export const STORE_PAGE: usize = 0x30000;

const REQUEST: usize = 0x31000; // a request as it comes in: header, payload
const MESSAGE: usize = 0x33000; // the message that goes out: header, payload
const RING: u32 = 1024;
const HEADER: u32 = 16;

const RSP: usize = 1024;
const REQ_CONS: usize = 2048;
const REQ_PROD: usize = 2052;
const RSP_CONS: usize = 2056;
const RSP_PROD: usize = 2060;

let got: u32 = 0;
let size: u32 = 0;
let sent: u32 = 0;

/** An idle ring whose four indices stand at `first`; the rings hold garbage. */
export function storedStart(first: u32): void {
  memory.fill(STORE_PAGE, 0xa5, 4096);
  for (let at = REQ_CONS; at <= RSP_PROD; at += 4) store<u32>(STORE_PAGE + at, first);
  got = 0;
  size = 0;
  sent = 0;
}

/** Takes up to `most` bytes of the request ring. True when a request is complete. */
export function storedTake(most: u32): bool {
  let cons = load<u32>(STORE_PAGE + REQ_CONS);
  const prod = load<u32>(STORE_PAGE + REQ_PROD);
  for (let left = most; left > 0 && cons != prod && !complete(); left--) {
    store<u8>(REQUEST + got, load<u8>(STORE_PAGE + (cons % RING)));
    got += 1;
    cons += 1;
  }
  store<u32>(STORE_PAGE + REQ_CONS, cons);
  if (!complete()) return false;
  got = 0;
  return true;
}

function complete(): bool {
  return got >= HEADER && got == HEADER + requestSize();
}

/** The request that was taken last. */
export function requestType(): u32 {
  return load<u32>(REQUEST);
}

export function requestId(): u32 {
  return load<u32>(REQUEST + 4);
}

export function requestTransaction(): u32 {
  return load<u32>(REQUEST + 8);
}

export function requestSize(): u32 {
  return load<u32>(REQUEST + 12);
}

export function requestByte(index: u32): u8 {
  return load<u8>(REQUEST + HEADER + index);
}

/** Its payload as text; a NUL stands there as `|`. */
export function requestText(): string {
  let text = '';
  for (let i: u32 = 0; i < requestSize(); i++) {
    const byte = requestByte(i);
    text += byte == 0 ? '|' : String.fromCharCode(byte);
  }
  return text;
}

/** Composes a message whose payload is `text`, with `|` for NUL. feed() puts it into the ring. */
export function compose(type: u32, id: u32, text: string): void {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    store<u8>(MESSAGE + HEADER + i, code == 0x7c ? 0 : <u8>code);
  }
  composeSize(type, id, text.length);
}

/** Composes a message that claims `length` bytes of payload, whatever they are. */
export function composeSize(type: u32, id: u32, length: u32): void {
  store<u32>(MESSAGE, type);
  store<u32>(MESSAGE, id, 4);
  store<u32>(MESSAGE, 0, 8);
  store<u32>(MESSAGE, length, 12);
  size = HEADER + length;
  sent = 0;
}

/** Puts up to `most` further bytes of the message into the ring, as room permits. Result: bytes. */
export function feed(most: u32): u32 {
  const prod = load<u32>(STORE_PAGE + RSP_PROD);
  const room = RING - (prod - load<u32>(STORE_PAGE + RSP_CONS));
  const count = min(min(room, most), size - sent);
  for (let i: u32 = 0; i < count; i++) {
    store<u8>(STORE_PAGE + RSP + ((prod + i) % RING), load<u8>(MESSAGE + sent + i));
  }
  sent += count;
  store<u32>(STORE_PAGE + RSP_PROD, prod + count);
  return count;
}

/** Sends a whole message; there is room for it. */
export function say(type: u32, id: u32, text: string): void {
  compose(type, id, text);
  feed(size);
}

/** Lies about an index: how far the client's end is said to be behind. */
export function lieAboutResponses(ahead: u32): void {
  store<u32>(STORE_PAGE + RSP_PROD, load<u32>(STORE_PAGE + RSP_CONS) + ahead);
}

export function lieAboutRequests(behind: u32): void {
  store<u32>(STORE_PAGE + REQ_CONS, load<u32>(STORE_PAGE + REQ_PROD) - behind);
}
