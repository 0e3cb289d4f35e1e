/** Frames, their grants, and those that the peer keeps mapped. */
import {
  arenaInit,
  arenaOverhead,
  arenaSeal,
  carve,
  framesFree,
  framesParked,
  grantFrames,
  inArena,
  isError,
  refOf,
  releaseFrames,
  retryParked,
  takeFrames,
} from '../../assembly/guest/arena';
import { ENOBUFS } from '../../assembly/wire/errno';
import {
  fake_fail_after,
  fake_frame_of,
  fake_grantee_of,
  fake_grants,
  fake_is_readonly,
  fake_ref_of,
  fake_reset,
  fake_set_busy,
  fake_violations,
} from './fake';

const BASE: usize = 0x100000;
const FRAMES: u32 = 72;
const PAGE: u32 = 4096;
const PEER: u32 = 5;

/** The frames are what the tables leave: two rounds of the bitmap's words and a bit. */
let count: u32 = 0;
let first: usize = 0;

function frame(index: u32): usize {
  return first + index * PAGE;
}

beforeEach(() => {
  fake_reset();
  memory.fill(BASE, 0xa5, FRAMES * PAGE);
  arenaInit(BASE, FRAMES);
  count = <u32>arenaSeal();
  first = BASE + (FRAMES - count) * PAGE;
});

afterEach(() => {
  expect(fake_violations()).toBe(0);
});

describe('init', () => {
  it('carves zeroed tables, each at a multiple of eight', () => {
    memory.fill(BASE, 0xa5, FRAMES * PAGE);
    arenaInit(BASE, FRAMES);
    const one = carve(13);
    const two = carve(8);
    expect(one & 7).toBe(0);
    expect(two & 7).toBe(0);
    expect(two >= one + 13).toBe(true);
    for (let i: usize = 0; i < 13; i++) expect(load<u8>(one + i)).toBe(0);
    expect(load<u64>(two)).toBe(0);
  });

  it('leaves all but the tables as frames, aligned and free', () => {
    expect(count).toBe(FRAMES - 1);
    expect(framesFree()).toBe(count);
    expect(framesParked()).toBe(0);
    expect(arenaOverhead(FRAMES) < 2 * PAGE).toBe(true);
  });

  it('knows what lies within', () => {
    expect(inArena(BASE, 1)).toBe(true);
    expect(inArena(BASE - 1, 1)).toBe(false);
    expect(inArena(BASE + FRAMES * PAGE - 1, 1)).toBe(true);
    expect(inArena(BASE + FRAMES * PAGE - 1, 2)).toBe(false);
    expect(inArena(BASE + FRAMES * PAGE, 0)).toBe(false);
    expect(inArena(frame(0), 0xffffffff)).toBe(false);
  });

  it('tells errors of hypercalls from results', () => {
    expect(isError(<u32>-1)).toBe(true);
    expect(isError(<u32>-4095)).toBe(true);
    expect(isError(<u32>-4096)).toBe(false);
    expect(isError(0)).toBe(false);
  });
});

describe('frames', () => {
  it('are taken in runs without overlap, until there are none', () => {
    expect(takeFrames(1)).toBe(frame(0));
    expect(takeFrames(31)).toBe(frame(1));
    expect(takeFrames(33)).toBe(frame(32)); // over the words of the bitmap
    expect(framesFree()).toBe(count - 65);
    expect(takeFrames(count - 65)).toBe(frame(65));
    expect(framesFree()).toBe(0);
    expect(takeFrames(1)).toBe(0);
  });

  it('are taken all at once, but not one more', () => {
    expect(takeFrames(count + 1)).toBe(0);
    expect(framesFree()).toBe(count);
    expect(takeFrames(count)).toBe(frame(0));
  });

  it('come in a run or not at all: holes do not add up', () => {
    const low = takeFrames(3);
    const middle = takeFrames(1);
    takeFrames(count - 4);
    releaseFrames(low, 3);
    expect(takeFrames(4)).toBe(0);
    releaseFrames(middle, 1);
    expect(takeFrames(4)).toBe(low);
  });

  it('are found in the first hole that is large enough', () => {
    takeFrames(count);
    releaseFrames(frame(30), 2);
    releaseFrames(frame(40), 5);
    releaseFrames(frame(60), 4);
    expect(takeFrames(4)).toBe(frame(40));
    expect(takeFrames(2)).toBe(frame(30));
    expect(takeFrames(2)).toBe(frame(60));
    expect(framesFree()).toBe(3);
  });
});

describe('grants', () => {
  it('name each frame, its peer, and may be written', () => {
    const at = takeFrames(4);
    expect(grantFrames(PEER, at, 4)).toBe(0);
    expect(fake_grants()).toBe(4);
    for (let i: u32 = 0; i < 4; i++) {
      const ref = refOf(at + i * PAGE);
      expect(<usize>fake_frame_of(ref)).toBe((at >> 12) + i);
      expect(fake_grantee_of(ref)).toBe(PEER);
      expect(fake_is_readonly(ref)).toBe(0);
    }
  });

  it('are remembered per frame, whatever is written on the frames', () => {
    const at = takeFrames(2);
    grantFrames(PEER, at, 2);
    memory.fill(at, 0xff, 2 * PAGE);
    releaseFrames(at, 2);
    expect(fake_grants()).toBe(0);
    expect(framesFree()).toBe(count);
  });

  it('are rolled back when the fifth fails', () => {
    const at = takeFrames(6);
    fake_fail_after(4);
    expect(grantFrames(PEER, at, 6)).toBe(-ENOBUFS);
    expect(fake_grants()).toBe(0);
    fake_fail_after(-1);
    releaseFrames(at, 6);
    expect(framesFree()).toBe(count);
    expect(framesParked()).toBe(0);
  });

  it('are rolled back when the first fails', () => {
    const at = takeFrames(1);
    fake_fail_after(0);
    expect(grantFrames(PEER, at, 1)).toBe(-ENOBUFS);
    releaseFrames(at, 1);
    expect(framesFree()).toBe(count);
  });
});

describe('frames that the peer still maps', () => {
  it('are parked, not free and never handed out again', () => {
    const at = takeFrames(3);
    grantFrames(PEER, at, 3);
    fake_set_busy(refOf(at + PAGE), true);
    releaseFrames(at, 3);
    expect(framesParked()).toBe(1);
    expect(framesFree()).toBe(count - 1);
    expect(fake_grants()).toBe(1);
    expect(takeFrames(2)).toBe(at + 2 * PAGE); // past the parked one
    expect(takeFrames(1)).toBe(at);
    while (framesFree() != 0) expect(takeFrames(1)).not.toBe(at + PAGE);
  });

  it('come back when a retry finds them let go', () => {
    const at = takeFrames(40);
    grantFrames(PEER, at, 40);
    const early = refOf(at);
    const late = refOf(at + 39 * PAGE);
    fake_set_busy(early, true);
    fake_set_busy(late, true);
    releaseFrames(at, 40);
    retryParked();
    expect(framesParked()).toBe(2);
    fake_set_busy(late, false);
    retryParked();
    expect(framesParked()).toBe(1);
    expect(framesFree()).toBe(count - 1);
    fake_set_busy(early, false);
    retryParked();
    expect(framesParked()).toBe(0);
    expect(framesFree()).toBe(count);
    expect(fake_grants()).toBe(0);
    expect(takeFrames(count)).toBe(frame(0));
  });

  it('leave the retry nothing to do once they are back', () => {
    const at = takeFrames(1);
    grantFrames(PEER, at, 1);
    releaseFrames(at, 1);
    grantFrames(PEER, takeFrames(1), 1);
    retryParked();
    expect(fake_grants()).toBe(1);
    expect(fake_ref_of(<u32>(at >> 12))).toBe(<i32>refOf(at));
  });

  it('stay parked when a roll-back meets them', () => {
    const at = takeFrames(3);
    grantFrames(PEER, at, 1);
    fake_set_busy(refOf(at), true);
    releaseFrames(at, 3);
    expect(framesParked()).toBe(1);
    expect(framesFree()).toBe(count - 1);
  });
});
