/** The frontend's half of a request/response ring; the spec plays the backend on the page. */
import {
  RESPONSE_OVERFLOW,
  ringInit,
  ringOutstanding,
  ringPush,
  ringPut,
  ringTake,
  SharedRing,
} from '../../assembly/ring/shared-ring';

const STATE: usize = 0x10000;
const REQUEST: usize = 0x11000;
const RESPONSE: usize = 0x12000;
const PAGE: usize = 0x20000;

/** The page as ring.h draws it. */
const REQ_PROD: usize = 0;
const REQ_EVENT: usize = 4;
const RSP_PROD: usize = 8;
const RSP_EVENT: usize = 12;
const SLOTS: usize = 64;

let ring: SharedRing = changetype<SharedRing>(STATE);

/** Both ends at `index`, as if so many requests had passed. */
function startAt(index: u32): void {
  ring.reqProdPvt = index;
  ring.reqProd = index;
  ring.rspCons = index;
  ring.rspProd = index;
  store<u32>(PAGE + REQ_PROD, index);
  store<u32>(PAGE + REQ_EVENT, index + 1);
  store<u32>(PAGE + RSP_PROD, index);
  store<u32>(PAGE + RSP_EVENT, index + 1);
}

function put(count: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    memory.fill(REQUEST, <u8>(ring.reqProdPvt & 0xff), 64);
    ringPut(ring, REQUEST);
  }
}

function slot(index: u32): usize {
  return PAGE + SLOTS + (index % 32) * 64;
}

/** The backend writes a response filled with `byte` and publishes it. */
function respond(index: u32, byte: u8): void {
  memory.fill(slot(index), byte, 24);
  store<u32>(PAGE + RSP_PROD, index + 1);
}

function take(): i32 {
  return ringTake(ring, RESPONSE, 24);
}

describe('a new ring', () => {
  beforeEach(() => {
    memory.fill(PAGE, 0xa5, 4096);
    memory.fill(STATE, 0xa5, 64);
    ring = changetype<SharedRing>(STATE);
    ringInit(ring, PAGE);
  });

  it('leaves nothing of an earlier life on the page but the two events, which are 1', () => {
    let wrong = 0;
    for (let at: usize = 0; at < 4096; at += 4) {
      const wanted: u32 = at == REQ_EVENT || at == RSP_EVENT ? 1 : 0;
      if (load<u32>(PAGE + at) != wanted) wrong += 1;
    }
    expect(wrong).toBe(0);
  });

  it('has nothing outstanding, nothing to publish and nothing to take', () => {
    expect(ringOutstanding(ring)).toBe(0);
    expect(ringPush(ring)).toBe(false);
    expect(take()).toBe(0);
  });

  it('asks the backend for a notification of the first response', () => {
    expect(load<u32>(PAGE + RSP_EVENT)).toBe(1);
  });
});

describe('requests', () => {
  beforeEach(() => {
    ringInit(ring, PAGE);
  });

  it('are written to their slots and stay unpublished until the push', () => {
    put(3);
    expect(load<u32>(PAGE + REQ_PROD)).toBe(0);
    expect(ringOutstanding(ring)).toBe(3);
    expect(load<u8>(slot(2))).toBe(2);
    expect(load<u8>(slot(2) + 63)).toBe(2);
    ringPush(ring);
    expect(load<u32>(PAGE + REQ_PROD)).toBe(3);
  });

  it('notify the backend that waits for the next one', () => {
    put(1);
    expect(ringPush(ring)).toBe(true);
  });

  it('notify once for a batch that passes the event in the middle', () => {
    store<u32>(PAGE + REQ_EVENT, 2);
    put(3);
    expect(ringPush(ring)).toBe(true);
    expect(ringPush(ring)).toBe(false);
  });

  it('do not notify a backend that asked earlier or asks for later', () => {
    put(1);
    ringPush(ring);
    put(1); // req_event still is 1: the backend is awake
    expect(ringPush(ring)).toBe(false);
    store<u32>(PAGE + REQ_EVENT, 9);
    put(1);
    expect(ringPush(ring)).toBe(false);
  });

  it('fill 32 slots, each of 64 bytes, and no byte beyond the last', () => {
    memory.fill(PAGE + SLOTS + 32 * 64, 0xee, 4096 - SLOTS - 32 * 64);
    put(32);
    expect(ringOutstanding(ring)).toBe(32);
    expect(load<u8>(slot(0))).toBe(0);
    expect(load<u8>(slot(31) + 63)).toBe(31);
    expect(load<u8>(PAGE + SLOTS + 32 * 64)).toBe(0xee);
  });

  it('are not affected by what the backend writes over req_prod', () => {
    put(2);
    ringPush(ring);
    store<u32>(PAGE + REQ_PROD, 0x12345);
    put(1);
    ringPush(ring);
    expect(load<u32>(PAGE + REQ_PROD)).toBe(3);
  });

  it('wrap over 2^32 and keep their notification', () => {
    startAt(0xfffffffe);
    store<u32>(PAGE + REQ_EVENT, 1);
    put(2);
    expect(ringPush(ring)).toBe(false);
    expect(load<u32>(PAGE + REQ_PROD)).toBe(0);
    put(1);
    expect(ringPush(ring)).toBe(true);
    expect(load<u32>(PAGE + REQ_PROD)).toBe(1);
    expect(ringOutstanding(ring)).toBe(3);
    expect(load<u8>(slot(30))).toBe(0xfe);
    expect(load<u8>(slot(0))).toBe(0);
  });
});

describe('responses', () => {
  beforeEach(() => {
    ringInit(ring, PAGE);
    put(3);
    ringPush(ring);
  });

  it('come in order and end with the final check, which asks for the next one', () => {
    respond(0, 0x11);
    respond(1, 0x22);
    expect(take()).toBe(1);
    expect(load<u8>(RESPONSE + 23)).toBe(0x11);
    expect(take()).toBe(1);
    expect(load<u8>(RESPONSE)).toBe(0x22);
    expect(load<u32>(PAGE + RSP_EVENT)).toBe(1); // not moved while there is work
    expect(take()).toBe(0);
    expect(load<u32>(PAGE + RSP_EVENT)).toBe(3);
  });

  it('are found by the final check when they are published before the event is', () => {
    respond(0, 0x11);
    expect(take()).toBe(1);
    respond(1, 0x22); // after the last look, before the consumer goes to sleep
    expect(take()).toBe(1);
    expect(load<u8>(RESPONSE)).toBe(0x22);
  });

  it('raise a notification when they are published after the event', () => {
    expect(take()).toBe(0);
    const event = load<u32>(PAGE + RSP_EVENT);
    respond(0, 0x11);
    expect(<u32>(1 - event) < <u32>(1 - 0)).toBe(true); // the backend's check and notify
    expect(take()).toBe(1);
  });

  it('are looked for again without another store: the page has the event already', () => {
    expect(take()).toBe(0);
    store<u32>(PAGE + RSP_EVENT, 0xbeef); // what a second store would put right
    expect(take()).toBe(0);
    expect(load<u32>(PAGE + RSP_EVENT)).toBe(0xbeef);
    respond(0, 0x11);
    expect(take()).toBe(1);
    expect(take()).toBe(0);
    expect(load<u32>(PAGE + RSP_EVENT)).toBe(2);
  });

  it('are copied out: what the backend does to the slot afterwards changes nothing', () => {
    respond(0, 0x33);
    expect(take()).toBe(1);
    memory.fill(slot(0), 0xff, 64);
    for (let i: usize = 0; i < 24; i++) expect(load<u8>(RESPONSE + i)).toBe(0x33);
  });

  it('are copied with the size asked for and no more', () => {
    memory.fill(RESPONSE, 0, 64);
    memory.fill(slot(0), 0x44, 64);
    store<u32>(PAGE + RSP_PROD, 1);
    expect(take()).toBe(1);
    expect(load<u8>(RESPONSE + 23)).toBe(0x44);
    expect(load<u8>(RESPONSE + 24)).toBe(0);
  });

  it('free their slots', () => {
    respond(0, 1);
    take();
    expect(ringOutstanding(ring)).toBe(2);
  });

  it('beyond the requests outstanding are an overflow, though they would fit the ring', () => {
    store<u32>(PAGE + RSP_PROD, 4);
    expect(take()).toBe(RESPONSE_OVERFLOW);
    expect(ring.rspCons).toBe(0);
  });

  it('do not answer requests that are put but not published', () => {
    put(1);
    store<u32>(PAGE + RSP_PROD, 4);
    expect(take()).toBe(RESPONSE_OVERFLOW);
  });

  it('that move backwards are an overflow', () => {
    respond(0, 1);
    take();
    store<u32>(PAGE + RSP_PROD, 0);
    expect(take()).toBe(RESPONSE_OVERFLOW);
    store<u32>(PAGE + RSP_PROD, 0xffffffff);
    expect(take()).toBe(RESPONSE_OVERFLOW);
  });

  it('that were published can not be taken back', () => {
    store<u32>(PAGE + RSP_PROD, 2);
    expect(take()).toBe(1);
    store<u32>(PAGE + RSP_PROD, 0); // the two were seen; the second is taken without a new look
    expect(take()).toBe(1);
    expect(ring.rspCons).toBe(2);
  });

  it('wrap over 2^32', () => {
    startAt(0xfffffffe);
    put(32);
    ringPush(ring);
    for (let i: u32 = 0; i < 32; i++) respond(0xfffffffe + i, <u8>i);
    for (let i: u32 = 0; i < 32; i++) {
      expect(take()).toBe(1);
      expect(load<u8>(RESPONSE)).toBe(<u8>i);
    }
    expect(take()).toBe(0);
    expect(ring.rspCons).toBe(30);
    expect(load<u32>(PAGE + RSP_EVENT)).toBe(31);
    expect(ringOutstanding(ring)).toBe(0);
  });

  it('one beyond a full ring are an overflow across 2^32 too', () => {
    startAt(0xfffffffe);
    put(32);
    ringPush(ring);
    store<u32>(PAGE + RSP_PROD, 0xfffffffe + 33);
    expect(take()).toBe(RESPONSE_OVERFLOW);
  });
});
