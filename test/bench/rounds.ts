/**
 * Measuring on a shared, noisy machine: every row is a ratio of two things measured alternately in
 * the same run, with the spread of the floor. A floor that spreads too much gives no verdict.
 */
import { cpus, loadavg } from 'node:os';

const ROUNDS = 15;
const FLOOR_SPREAD_MAX = 0.3;

export interface Row {
  readonly name: string;
  readonly unit: string;
  /** One measurement each, in `unit`. */
  readonly floor: () => Promise<number>;
  readonly value: () => Promise<number>;
  /** What the ratio value / floor should be: at least, or at most. */
  readonly aim: { atLeast: number } | { atMost: number };
}

interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

function spread(samples: number[]): Spread {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (quantile: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(quantile * sorted.length))]!;
  return { median: at(0.5), low: at(0.05), high: at(0.95) };
}

const show = (value: number): string => value.toPrecision(3);

/** Measures the row and prints one line. */
export async function measure(row: Row): Promise<void> {
  const floors: number[] = [];
  const values: number[] = [];
  await row.floor();
  await row.value();
  for (let round = 0; round < ROUNDS; round++) {
    floors.push(await row.floor());
    values.push(await row.value());
  }
  const floor = spread(floors);
  const value = spread(values);
  const ratio = spread(values.map((sample, round) => sample / floors[round]!));
  const met =
    'atLeast' in row.aim ? ratio.median >= row.aim.atLeast : ratio.median <= row.aim.atMost;
  const quiet = (floor.high - floor.low) / floor.median <= FLOOR_SPREAD_MAX;
  const aim = 'atLeast' in row.aim ? `>= ${row.aim.atLeast}` : `<= ${row.aim.atMost}`;
  const verdict = quiet ? (met ? 'met' : 'missed') : 'no verdict: the floor is too noisy';
  const part = ({ median, low, high }: Spread): string =>
    `${show(median)} (${show(low)}..${show(high)})`;
  console.log(
    `${row.name}: ${part(value)} ${row.unit}, floor ${part(floor)}, ` +
      `ratio ${part(ratio)}, aim ${aim}: ${verdict}`,
  );
}

export function printMachine(): void {
  console.log(
    `node ${process.version}, ${cpus().length} cores, load ${loadavg().map(show).join(' ')}, ` +
      `${ROUNDS} rounds, median (5 %..95 %)`,
  );
}
