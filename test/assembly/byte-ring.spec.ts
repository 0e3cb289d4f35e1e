/** The frontend's end of a data ring; the spec plays the backend on page and arrays. */
import {
  BAD,
  ByteRing,
  byteRingInit,
  consumeIn,
  copyIn,
  copyOut,
  flexRingSize,
  inAddress,
  loadInError,
  loadOutError,
  outAddress,
  publishOut,
  readable,
  writable,
} from '../../assembly/ring/byte-ring';

const STATE: usize = 0x10000;
const PAGE: usize = 0x20000;
const USER: usize = 0x30000;
const DATA: usize = 0x100000;
const SIZE: u32 = 2048;

/** The page as the spec's struct gives it. */
const IN_CONS: usize = 0;
const IN_PROD: usize = 4;
const IN_ERROR: usize = 8;
const OUT_CONS: usize = 64;
const OUT_PROD: usize = 68;
const OUT_ERROR: usize = 72;

let ring: ByteRing = changetype<ByteRing>(STATE);

function start(order: u32, first: u32): void {
  memory.fill(STATE, 0xa5, offsetof<ByteRing>());
  memory.fill(PAGE, 0xa5, 128);
  ring = changetype<ByteRing>(STATE);
  ring.page = PAGE;
  ring.data = DATA;
  ring.order = order;
  byteRingInit(ring, first);
}

function fill(at: usize, size: u32, seed: u32): void {
  for (let i: u32 = 0; i < size; i++) store<u8>(at + i, <u8>(seed + i * 7));
}

function differs(at: usize, size: u32, seed: u32): bool {
  for (let i: u32 = 0; i < size; i++) if (load<u8>(at + i) != <u8>(seed + i * 7)) return true;
  return false;
}

/** The backend puts `size` bytes into `in`, byte by byte, and publishes them. */
function produce(size: u32, seed: u32): void {
  const prod = load<u32>(PAGE + IN_PROD);
  for (let i: u32 = 0; i < size; i++) {
    store<u8>(DATA + ((prod + i) & (ring.size - 1)), <u8>(seed + i * 7));
  }
  store<u32>(PAGE + IN_PROD, prod + size);
}

/** What the backend finds in `out` from out_cons on. */
function backendDiffers(size: u32, seed: u32): bool {
  const cons = load<u32>(PAGE + OUT_CONS);
  for (let i: u32 = 0; i < size; i++) {
    const at = DATA + ring.size + ((cons + i) & (ring.size - 1));
    if (load<u8>(at) != <u8>(seed + i * 7)) return true;
  }
  return false;
}

function send(size: u32, seed: u32): void {
  fill(USER, size, seed);
  copyIn(ring, USER, size, 0);
  publishOut(ring, size);
}

describe('a new data ring', () => {
  it('has 2 KiB each way at order 0, twice as much with each order, 1 MiB at order 9', () => {
    for (let order: u32 = 0; order <= 9; order++) {
      start(order, 0);
      expect(flexRingSize(order)).toBe(2048 << order);
      expect(ring.size).toBe(2048 << order);
      expect(writable(ring)).toBe(2048 << order);
      expect(readable(ring)).toBe(0);
      expect(outAddress(ring) - inAddress(ring)).toBe(2048 << order);
    }
  });

  it('sets all six fields of the page, whatever they held', () => {
    start(0, 0xfffffff0);
    expect(load<u32>(PAGE + IN_CONS)).toBe(0xfffffff0);
    expect(load<u32>(PAGE + IN_PROD)).toBe(0xfffffff0);
    expect(load<u32>(PAGE + IN_ERROR)).toBe(0);
    expect(load<u32>(PAGE + OUT_CONS)).toBe(0xfffffff0);
    expect(load<u32>(PAGE + OUT_PROD)).toBe(0xfffffff0);
    expect(load<u32>(PAGE + OUT_ERROR)).toBe(0);
    expect(load<u32>(PAGE + 12)).toBe(0xa5a5a5a5); // what is not ours to set stays
    expect(loadInError(ring)).toBe(0);
    expect(ring.inError).toBe(0);
  });
});

describe('reading', () => {
  beforeEach(() => {
    start(0, 0);
  });

  it('copies what the backend produced and consumes only when told', () => {
    produce(100, 1);
    expect(readable(ring)).toBe(100);
    copyOut(ring, USER, 100, 0);
    expect(differs(USER, 100, 1)).toBe(false);
    expect(load<u32>(PAGE + IN_CONS)).toBe(0);
    consumeIn(ring, 60);
    expect(load<u32>(PAGE + IN_CONS)).toBe(60);
    expect(readable(ring)).toBe(40);
  });

  it('copies from a distance into what is readable', () => {
    produce(100, 1);
    readable(ring);
    copyOut(ring, USER, 30, 70);
    expect(differs(USER, 30, 1 + 70 * 7)).toBe(false);
  });

  it('wraps at the end of the array', () => {
    produce(SIZE - 10, 0);
    readable(ring);
    consumeIn(ring, SIZE - 10);
    produce(50, 9);
    expect(readable(ring)).toBe(50);
    copyOut(ring, USER, 50, 0);
    expect(differs(USER, 50, 9)).toBe(false);
    copyOut(ring, USER, 30, 20); // begins after the wrap
    expect(differs(USER, 30, 9 + 20 * 7)).toBe(false);
  });

  it('wraps at 2^32, with a whole ring', () => {
    start(0, 0xfffffff0);
    produce(SIZE, 5);
    expect(readable(ring)).toBe(SIZE);
    copyOut(ring, USER, SIZE, 0);
    expect(differs(USER, SIZE, 5)).toBe(false);
    consumeIn(ring, SIZE);
    expect(load<u32>(PAGE + IN_CONS)).toBe(SIZE - 16);
    expect(readable(ring)).toBe(0);
  });

  it('finds an in_prod beyond the ring bad, and goes on when it is good again', () => {
    store<u32>(PAGE + IN_PROD, SIZE + 1);
    expect(readable(ring)).toBe(BAD);
    expect(ring.inProd).toBe(0);
    store<u32>(PAGE + IN_PROD, 0x80000000);
    expect(readable(ring)).toBe(BAD);
    store<u32>(PAGE + IN_PROD, SIZE);
    expect(readable(ring)).toBe(SIZE);
  });

  it('finds an in_prod that moved back bad, even where it stays in the ring', () => {
    produce(100, 0);
    readable(ring);
    store<u32>(PAGE + IN_PROD, 99);
    expect(readable(ring)).toBe(BAD);
    consumeIn(ring, 100);
    store<u32>(PAGE + IN_PROD, 99);
    expect(readable(ring)).toBe(BAD);
  });

  it('finds an in_prod bad that its masked value would have let pass', () => {
    store<u32>(PAGE + IN_PROD, 4 * SIZE + 5);
    expect(readable(ring)).toBe(BAD);
  });

  it('does not read in_cons back', () => {
    produce(100, 0);
    store<u32>(PAGE + IN_CONS, 50);
    expect(readable(ring)).toBe(100);
    consumeIn(ring, 10);
    expect(load<u32>(PAGE + IN_CONS)).toBe(10);
  });

  it('tells of room when the ring was filled as an older in_cons left it', () => {
    store<u32>(PAGE + IN_PROD, 10);
    expect(readable(ring)).toBe(10);
    expect(consumeIn(ring, 10)).toBe(false);
    store<u32>(PAGE + IN_PROD, SIZE); // room for SIZE - 10 was seen before we consumed
    expect(readable(ring)).toBe(SIZE - 10);
    expect(consumeIn(ring, SIZE - 10)).toBe(true);
  });

  it('tells of room when the ring was full, and only then', () => {
    produce(SIZE, 0);
    readable(ring);
    expect(consumeIn(ring, 1)).toBe(true);
    expect(consumeIn(ring, 1)).toBe(false);
  });

  it('tells of room when the backend filled the ring after we looked', () => {
    produce(SIZE - 1, 0);
    expect(readable(ring)).toBe(SIZE - 1);
    produce(1, 0);
    expect(consumeIn(ring, 10)).toBe(true);
  });

  it('tells of no room when one byte was free, across 2^32 too', () => {
    start(0, 0xffffff00);
    produce(SIZE - 1, 0);
    readable(ring);
    expect(consumeIn(ring, 10)).toBe(false);
    produce(11, 0);
    expect(consumeIn(ring, SIZE - 10)).toBe(true);
  });
});

describe('writing', () => {
  beforeEach(() => {
    start(0, 0);
  });

  it('shows the backend nothing until it is published', () => {
    fill(USER, 100, 3);
    copyIn(ring, USER, 100, 0);
    expect(load<u32>(PAGE + OUT_PROD)).toBe(0);
    publishOut(ring, 100);
    expect(load<u32>(PAGE + OUT_PROD)).toBe(100);
    expect(backendDiffers(100, 3)).toBe(false);
    expect(writable(ring)).toBe(SIZE - 100);
  });

  it('gathers pieces at a distance from the position', () => {
    fill(USER, 100, 3);
    copyIn(ring, USER, 40, 0);
    copyIn(ring, USER + 40, 60, 40);
    publishOut(ring, 100);
    expect(backendDiffers(100, 3)).toBe(false);
  });

  it('fills the ring to the last byte, and has room for what the backend takes', () => {
    send(SIZE, 2);
    expect(writable(ring)).toBe(0);
    expect(backendDiffers(SIZE, 2)).toBe(false);
    store<u32>(PAGE + OUT_CONS, 1);
    expect(writable(ring)).toBe(1);
    store<u32>(PAGE + OUT_CONS, SIZE);
  });

  it('wraps at the end of the array and does not touch `in`', () => {
    memory.fill(DATA, 0x77, SIZE);
    send(SIZE - 10, 0);
    store<u32>(PAGE + OUT_CONS, SIZE - 10);
    writable(ring);
    send(50, 4);
    expect(backendDiffers(50, 4)).toBe(false);
    for (let i: u32 = 0; i < SIZE; i++) if (load<u8>(DATA + i) != 0x77) expect(i).toBe(SIZE);
  });

  it('wraps at 2^32', () => {
    start(0, 0xfffffff0);
    send(100, 8);
    expect(load<u32>(PAGE + OUT_PROD)).toBe(84);
    expect(backendDiffers(100, 8)).toBe(false);
    expect(writable(ring)).toBe(SIZE - 100);
    store<u32>(PAGE + OUT_CONS, 84);
    expect(writable(ring)).toBe(SIZE);
  });

  it('finds an out_cons beyond out_prod bad', () => {
    send(100, 0);
    store<u32>(PAGE + OUT_CONS, 101);
    expect(writable(ring)).toBe(BAD);
    store<u32>(PAGE + OUT_CONS, 100);
    expect(writable(ring)).toBe(SIZE);
  });

  it('finds an out_cons that moved back bad', () => {
    send(100, 0);
    store<u32>(PAGE + OUT_CONS, 60);
    expect(writable(ring)).toBe(SIZE - 40);
    store<u32>(PAGE + OUT_CONS, 59);
    expect(writable(ring)).toBe(BAD);
    expect(ring.outCons).toBe(60);
    store<u32>(PAGE + OUT_CONS, 0xffffffff);
    expect(writable(ring)).toBe(BAD);
  });

  it('does not read out_prod back', () => {
    send(100, 0);
    store<u32>(PAGE + OUT_PROD, 7);
    expect(writable(ring)).toBe(SIZE - 100);
    send(1, 0);
    expect(load<u32>(PAGE + OUT_PROD)).toBe(101);
  });

  it('gives addresses that follow the positions', () => {
    send(SIZE - 3, 0);
    expect(outAddress(ring)).toBe(DATA + 2 * SIZE - 3);
    store<u32>(PAGE + OUT_CONS, SIZE - 3);
    writable(ring);
    send(3, 0);
    expect(outAddress(ring)).toBe(DATA + SIZE);
    produce(5, 0);
    readable(ring);
    consumeIn(ring, 5);
    expect(inAddress(ring)).toBe(DATA + 5);
  });
});

describe('errors of the backend', () => {
  beforeEach(() => {
    start(0, 0);
  });

  it('are latched: the first one stays, though the backend takes it back or changes it', () => {
    store<i32>(PAGE + IN_ERROR, -107);
    store<i32>(PAGE + OUT_ERROR, -104);
    expect(loadInError(ring)).toBe(0);
    expect(loadOutError(ring)).toBe(0);
    store<i32>(PAGE + IN_ERROR, 0);
    store<i32>(PAGE + OUT_ERROR, 5);
    expect(loadInError(ring)).toBe(0);
    expect(loadOutError(ring)).toBe(0);
    expect(ring.inError).toBe(-107);
    expect(ring.outError).toBe(-104);
  });

  it('are bad when they are positive, and not latched', () => {
    store<i32>(PAGE + IN_ERROR, 1);
    store<i32>(PAGE + OUT_ERROR, i32.MAX_VALUE);
    expect(loadInError(ring)).toBe(BAD);
    expect(loadOutError(ring)).toBe(BAD);
    expect(ring.inError).toBe(0);
    expect(ring.outError).toBe(0);
  });

  it('may be any errno, and nothing that would read as a number of bytes', () => {
    store<i32>(PAGE + IN_ERROR, -4096);
    store<i32>(PAGE + OUT_ERROR, i32.MIN_VALUE);
    expect(loadInError(ring)).toBe(BAD);
    expect(loadOutError(ring)).toBe(BAD);
    store<i32>(PAGE + IN_ERROR, -4095);
    expect(loadInError(ring)).toBe(0);
    expect(ring.inError).toBe(-4095);
  });
});
