/**
 * Index arithmetic against a definition that counts indices one by one, exhaustively at 3 bits: the
 * eight indices are 0, 2^29, 2 * 2^29 ... so that the functions under test wrap where 3 bits would.
 */
import { crossed, distance, reached } from '../../assembly/ring/serial';

const COUNT: u32 = 8;
const SHIFT: u32 = 29;

function after(index: u32): u32 {
  return index == COUNT - 1 ? 0 : index + 1;
}

/** Steps from `consumer` up to `producer`. */
function countSteps(producer: u32, consumer: u32): u32 {
  let steps: u32 = 0;
  for (let index = consumer; index != producer; index = after(index)) steps += 1;
  return steps;
}

/** Whether `event` is among the indices that a move from `from` to `to` arrives at. */
function arrivesAt(from: u32, to: u32, event: u32): bool {
  for (let index = from; index != to;) {
    index = after(index);
    if (index == event) return true;
  }
  return false;
}

/** Whether `now` is the deadline or one of the moments of the half turn that follows it. */
function isDue(now: u32, deadline: u32): bool {
  let moment = deadline;
  for (let i: u32 = 0; i < COUNT / 2; i++) {
    if (moment == now) return true;
    moment = after(moment);
  }
  return false;
}

describe('index arithmetic at a width of three bits', () => {
  it('measures a distance as the number of steps, for every pair', () => {
    let pairs = 0;
    for (let producer: u32 = 0; producer < COUNT; producer++) {
      for (let consumer: u32 = 0; consumer < COUNT; consumer++) {
        const wide = distance(producer << SHIFT, consumer << SHIFT);
        expect(wide).toBe(countSteps(producer, consumer) << SHIFT);
        pairs += 1;
      }
    }
    expect(pairs).toBe(64);
  });

  it('says that an event was crossed exactly when the move arrives at it, for every triple', () => {
    let wrong = 0;
    let yes = 0;
    for (let from: u32 = 0; from < COUNT; from++) {
      for (let to: u32 = 0; to < COUNT; to++) {
        for (let event: u32 = 0; event < COUNT; event++) {
          const said = crossed(from << SHIFT, to << SHIFT, event << SHIFT);
          if (said != arrivesAt(from, to, event)) wrong += 1;
          if (said) yes += 1;
        }
      }
    }
    expect(wrong).toBe(0);
    expect(yes).toBe(8 * (0 + 1 + 2 + 3 + 4 + 5 + 6 + 7));
  });

  it('says that a moment is reached for half a turn, for every pair', () => {
    let wrong = 0;
    for (let now: u32 = 0; now < COUNT; now++) {
      for (let deadline: u32 = 0; deadline < COUNT; deadline++) {
        if (reached(now << SHIFT, deadline << SHIFT) != isDue(now, deadline)) wrong += 1;
      }
    }
    expect(wrong).toBe(0);
  });
});

describe('index arithmetic across 2^32', () => {
  it('measures a distance over the end of the numbers', () => {
    expect(distance(5, 0xfffffffb)).toBe(10);
    expect(distance(0, 0xffffffff)).toBe(1);
    expect(distance(0xffffffff, 0xffffffff)).toBe(0);
    expect(distance(0xffffffff, 0)).toBe(0xffffffff);
  });

  it('shows a lying index as a distance that no ring has', () => {
    expect(distance(0, 1)).toBe(0xffffffff);
    expect(distance(0x80000000, 0)).toBe(0x80000000);
  });

  it('crosses an event before, at and after the end of the numbers', () => {
    expect(crossed(0xfffffffe, 2, 0xffffffff)).toBe(true);
    expect(crossed(0xfffffffe, 2, 0)).toBe(true);
    expect(crossed(0xfffffffe, 2, 2)).toBe(true);
  });

  it('does not cross where it started, what lies ahead, or anything while it stands', () => {
    expect(crossed(0xfffffffe, 2, 0xfffffffe)).toBe(false);
    expect(crossed(0xfffffffe, 2, 3)).toBe(false);
    expect(crossed(7, 7, 7)).toBe(false);
    expect(crossed(7, 7, 8)).toBe(false);
  });

  it('reaches a deadline on time and not a millisecond early', () => {
    expect(reached(999, 1000)).toBe(false);
    expect(reached(1000, 1000)).toBe(true);
    expect(reached(0xffffffff, 3)).toBe(false);
    expect(reached(3, 0xffffffff)).toBe(true);
    expect(reached(0x7fffffff, 0)).toBe(true);
    expect(reached(0x80000000, 0)).toBe(false);
  });
});
