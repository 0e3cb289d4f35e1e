/** What the runs came to see: counts like those of a coverage tool, but of what matters here. */
import * as abi from '../../assembly/wire/abi.js';
import { OPS } from './ops.js';

const name = (prefix: string, value: number): string =>
  Object.entries(abi)
    .find(([key, number]) => key.startsWith(prefix) && number === value)?.[0]
    ?.slice(prefix.length) ?? String(value);

export class Coverage {
  runs = 0;
  steps = 0;
  mutations = 0;
  /** Devices that failed or closed and were started anew. */
  restarts = 0;
  /** Ports that the core masked, because of events without work behind them. */
  masked = 0;
  readonly ops = new Array<number>(OPS.length).fill(0);
  readonly events = new Array<number>(6).fill(0);
  readonly states = new Array<number>(6).fill(0);
  readonly faults = new Map<number, number>();
  /** By call, by result: 1 stands for all that are positive. */
  readonly results = new Map<string, Map<number, number>>();

  fault(number: number): void {
    this.faults.set(number, (this.faults.get(number) ?? 0) + 1);
  }

  result(call: string, result: number): void {
    let results = this.results.get(call);
    if (results === undefined) this.results.set(call, (results = new Map()));
    const key = result > 0 ? 1 : result;
    results.set(key, (results.get(key) ?? 0) + 1);
  }

  /** Faults that have occurred, by name. */
  faultNames(): string[] {
    return [...this.faults.keys()].sort((a, b) => a - b).map((fault) => name('FAULT_', fault));
  }

  describe(): string {
    const faults = [...this.faults]
      .sort(([a], [b]) => a - b)
      .map(([fault, count]) => `${name('FAULT_', fault)} ${count}`);
    const calls = [...this.results].map(([call, results]) => `${call} ${results.size}`);
    const states = this.states.map((count, state) => `${name('DEVICE_', state)} ${count}`);
    return [
      `${this.runs} runs, ${this.steps} steps, ${this.mutations} mutations`,
      `restarts: ${this.restarts}; ports masked: ${this.masked}; states: ${states.join(', ')}`,
      `faults: ${faults.join(', ')}`,
      `different results by call: ${calls.join(', ')}`,
      `operations: ${this.ops.map((count, op) => `${OPS[op]} ${count}`).join(', ')}`,
    ].join('\n  ');
  }
}
