/** The turns that conductor.c noted, as a table. */

export interface Turn {
  readonly round: number;
  readonly client: 'guest' | 'linux' | 'loopback';
  readonly op: 'send' | 'receive' | 'echo';
  /** Bytes, or round trips. */
  readonly count: number;
  readonly chunk: number;
  /** Bytes sent ahead: what follows does not fill the ring exactly. */
  readonly lead: number;
  readonly ns: number;
  /** By the client, to the backend; of Linux, calls that moved bytes: each notifies. */
  readonly notifications: number;
  /** Events that woke our guest; sleeps of Linux's caller. */
  readonly waits: number;
  /** That dom0's backend took. */
  readonly interrupts: number;
  /** Of a client's hello instead. */
  readonly connectedUs?: number;
}

const MIB = 2 ** 20;
const CLIENTS = ['guest', 'linux', 'loopback'] as const;
/** Of the guest against Linux's frontend, by speed; of a round trip, by time. */
const AIMS = { send: 1.5, receive: 1.3, echo: 0.8 };

const ROWS = [
  { name: 'send', op: 'send', lead: true },
  { name: 'send, calls that fill the ring', op: 'send', lead: false },
  { name: 'receive', op: 'receive', lead: false },
  { name: 'round trip of 64 bytes', op: 'echo', lead: false },
] as const;

function spread(values: number[], digits: number): string {
  const sorted = [...values].sort((a, b) => a - b);
  const [low, high] = [sorted[0]!, sorted[sorted.length - 1]!];
  return `${median(values).toFixed(digits)} (${low.toFixed(digits)}..${high.toFixed(digits)})`;
}

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

/** MB/s, or microseconds of a round trip. */
function figure({ op, count, ns }: Turn): number {
  return op === 'echo' ? ns / count / 1000 : (count / ns) * 1000;
}

/** Per MiB, or per round trip. */
function perUnit({ op, count }: Turn, what: number): number {
  return op === 'echo' ? what / count : what / (count / MIB);
}

function line(cells: string[]): void {
  const widths = [32, 10, 26, 14, 14, 14, 24, 10];
  console.log(cells.map((cell, i) => cell.padEnd(widths[i]!)).join(' '));
}

/** Ratio of each round, of the guest to another. */
function ratios(turns: Turn[], other: Turn['client']): number[] {
  const of = (client: Turn['client']) => turns.filter((turn) => turn.client === client);
  const others = of(other);
  return of('guest').map((turn, round) => figure(turn) / figure(others[round]!));
}

function printOperation(name: string, op: Turn['op'], turns: Turn[]): void {
  const unit = op === 'echo' ? 'us' : 'MB/s';
  const each = op === 'echo' ? '/trip' : '/MiB';
  for (const client of CLIENTS) {
    const own = turns.filter((turn) => turn.client === client);
    if (own.length === 0) continue;
    const rate = (pick: (turn: Turn) => number) =>
      `${median(own.map((turn) => perUnit(turn, pick(turn)))).toFixed(1)} ${each}`;
    const counts =
      client === 'loopback'
        ? ['', '', '']
        : [rate((t) => t.notifications), rate((t) => t.interrupts), rate((t) => t.waits)];
    const ratio = client === 'guest' ? [] : ratios(turns, client);
    const aim = AIMS[op];
    const met = op === 'echo' ? median(ratio) <= aim : median(ratio) >= aim;
    line([
      name,
      client,
      `${spread(own.map(figure), op === 'echo' ? 0 : 1)} ${unit}`,
      ...counts,
      ratio.length > 0 ? `${spread(ratio, 2)} x` : '',
      client === 'linux' ? `${op === 'echo' ? '<=' : '>='} ${aim} ${met ? 'met' : 'missed'}` : '',
    ]);
  }
}

/** Prints all but the first round. */
export function printTurns(records: Turn[]): void {
  line([
    ...['', 'client', 'speed or time', 'notifications', 'interrupts', 'waits'],
    ...['guest / this', 'aim'],
  ]);
  const turns = records.filter(({ round }) => round > 0);
  for (const { name, op, lead } of ROWS) {
    const own = turns.filter((turn) => turn.op === op && turn.lead > 0 === lead);
    if (own.length > 0) printOperation(name, op, own);
  }
  const hello = records.find(({ client, connectedUs }) => client === 'guest' && connectedUs);
  console.log(
    `entry of the guest to Connected: ${((hello?.connectedUs ?? 0) / 1000).toFixed(1)} ms`,
  );
}
