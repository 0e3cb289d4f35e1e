/** What happened in a run, as a hash: every hypercall of every domain, when, and its result. */
import type { Domain, Hypercalls, Scheduler } from '../../host/machine/index.js';

const KEPT = 24;

type Name = keyof Hypercalls;

export class Trace {
  private low = 0x811c9dc5;
  private high = 0x1b873593;
  private count = 0;
  private readonly last: (() => string)[] = [];

  constructor(private readonly scheduler: Scheduler) {}

  /** Notes every hypercall of the domain from here on. */
  watch(domain: Domain): void {
    const { domid, hypercalls } = domain;
    Object.keys(hypercalls).forEach((key, index) => {
      const name = key as Name;
      const call = hypercalls[name] as (...args: number[]) => number;
      hypercalls[name] = (...args: number[]): number => {
        const result = call(...args);
        this.add(domid, index, result, ...args);
        this.last.push(() => `domain ${domid}: ${name}(${args.join(', ')}) = ${result}`);
        if (this.last.length > KEPT) this.last.shift();
        return result;
      };
    });
  }

  add(...words: number[]): void {
    this.mix(Math.floor(this.scheduler.now()));
    for (const word of words) this.mix(word);
    this.count += 1;
  }

  get hash(): string {
    return [this.low, this.high, this.count].map((word) => (word >>> 0).toString(16)).join('-');
  }

  /** The last hypercalls, for a person. */
  tail(): string {
    return this.last.map((line) => `  ${line()}`).join('\n');
  }

  private mix(word: number): void {
    this.low = Math.imul(this.low ^ word, 0x01000193);
    this.high = (Math.imul(this.high, 0x85ebca6b) + (this.low ^ (word >>> 16))) | 0;
  }
}
