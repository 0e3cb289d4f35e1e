/**
 * Measuring on a shared, noisy machine: a row is a thing and its floor, measured alternately in the
 * same run, and their ratio with its spread. A floor that spreads too much gives no verdict: the
 * row is then measured again, a few times, because the noise of others comes in waves.
 */
import { loadavg } from 'node:os';

const ROUNDS = 15;
const ATTEMPTS = 3;
/** A row gives up after this long: two threads that share one processor may take minutes. */
const ROW_MS_MAX = 6_000;
const FLOOR_SPREAD_MAX = 0.3;
/** Exit code that tells `npm run bench` that no row here has a wanted name. */
const NO_ROWS = 64;

/** What is aimed at: for the ratio value / floor, for value - floor, or for the value itself. */
export type Aim =
  | { atLeast: number }
  | { atMost: number }
  | { addedAtMost: number }
  | { valueAtLeast: number }
  | { valueAtMost: number };

export interface Row {
  readonly name: string;
  readonly unit: string;
  /** One measurement each, in `unit`. Without a floor, the value stands alone. */
  readonly floor?: () => number | Promise<number>;
  readonly value: () => number | Promise<number>;
  /** None: the row is there to be compared with others. */
  readonly aim?: Aim;
  /** Whether the value is a count, the same in every round: one round is enough. */
  readonly exact?: boolean;
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

/** Three digits, and all of a whole number. */
function show(value: number): string {
  if (Number.isInteger(value) || Math.abs(value) >= 1000) return Math.round(value).toString();
  return value.toPrecision(3);
}

const showSpread = ({ median, low, high }: Spread): string =>
  low === high ? show(median) : `${show(median)} (${show(low)}..${show(high)})`;

const WIDTHS = [38, 8, 24, 24, 22, 10];

function line(cells: string[]): string {
  return cells.map((cell, i) => cell.padEnd(WIDTHS[i] ?? 0)).join(' ');
}

const RUNS = 8;

/** The fastest of some short runs: what the processor takes when nobody else has it. */
export function fastest(run: () => number): number {
  return Math.min(...Array.from({ length: RUNS }, run));
}

/** Names, or parts of names, of the rows to measure; all when there are none. */
const wanted = process.argv.slice(2);
let measured = 0;

function isWanted(name: string): boolean {
  return wanted.length === 0 || wanted.some((part) => name.includes(part));
}

interface Samples {
  readonly floors: number[];
  readonly values: number[];
}

/** All rounds, or as many as there is time for. */
async function takeRounds({ floor, value, exact }: Row, endMs: number): Promise<Samples> {
  const floors: number[] = [];
  const values: number[] = [];
  if (!exact) {
    await floor?.();
    await value();
  }
  for (let round = 0; round < (exact ? 1 : ROUNDS); round++) {
    if (round > 0 && performance.now() > endMs) break;
    if (floor !== undefined) floors.push(await floor());
    values.push(await value());
  }
  return { floors, values };
}

/** Whether there are all rounds, and the floor, or else the value, is steady. */
function isQuiet({ floors, values }: Samples, exact = false): boolean {
  if (exact) return true;
  if (values.length < ROUNDS) return false;
  const { median, low, high } = spread(floors.length > 0 ? floors : values);
  return (high - low) / median <= FLOOR_SPREAD_MAX;
}

/** The figure that the aim is about, and the aim in words. */
function judge(aim: Aim, { floors, values }: Samples): { text: string; met: boolean } {
  const median = (of: (value: number, round: number) => number): number =>
    spread(values.map(of)).median;
  const ratio = median((value, round) => value / floors[round]!);
  const own = median((value) => value);
  if ('atLeast' in aim) return { text: `>= ${aim.atLeast} x`, met: ratio >= aim.atLeast };
  if ('atMost' in aim) return { text: `<= ${aim.atMost} x`, met: ratio <= aim.atMost };
  if ('valueAtLeast' in aim)
    return { text: `>= ${aim.valueAtLeast}`, met: own >= aim.valueAtLeast };
  if ('valueAtMost' in aim) return { text: `<= ${aim.valueAtMost}`, met: own <= aim.valueAtMost };
  const added = median((value, round) => value - floors[round]!);
  return { text: `<= +${aim.addedAtMost}`, met: added <= aim.addedAtMost };
}

function compared(aim: Aim | undefined, { floors, values }: Samples): string {
  if (floors.length === 0) return '';
  if (aim !== undefined && 'addedAtMost' in aim) {
    return `+${showSpread(spread(values.map((value, round) => value - floors[round]!)))}`;
  }
  return `${showSpread(spread(values.map((value, round) => value / floors[round]!)))} x`;
}

/** Measures the row, if it is wanted, and prints its line of the table. */
export async function measure(row: Row): Promise<void> {
  if (!isWanted(row.name)) return;
  if (measured++ === 0) console.log(heading);
  const endMs = performance.now() + ROW_MS_MAX;
  let samples = await takeRounds(row, endMs);
  for (let attempt = 1; attempt < ATTEMPTS && !isQuiet(samples, row.exact); attempt++) {
    if (performance.now() > endMs - ROW_MS_MAX / 2) break;
    samples = await takeRounds(row, endMs);
  }
  const aim = row.aim && judge(row.aim, samples);
  const verdict = isQuiet(samples, row.exact) ? (aim?.met ? 'met' : 'missed') : 'no verdict: noise';
  const floor = samples.floors.length === 0 ? '' : showSpread(spread(samples.floors));
  const cells = [row.name, row.unit, showSpread(spread(samples.values)), floor];
  console.log(line([...cells, compared(row.aim, samples), aim?.text ?? '', aim ? verdict : '']));
}

let heading = '';

/** Heads a group of rows, with the load they are measured under; printed with the first. */
export function printMachine(): void {
  const load = `-- load ${loadavg().map(show).join(' ')}`;
  heading = line([load, 'unit', 'value', 'floor', 'ratio, or added', 'aim', 'verdict']);
}

process.on('exit', (code) => {
  if (code === 0 && measured === 0) process.exitCode = NO_ROWS;
});
