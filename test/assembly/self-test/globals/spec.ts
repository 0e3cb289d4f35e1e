/**
 * What as-pect gives the specs, for a module that runs them by itself: `describe` and `it` only
 * register, and the first expectation that does not hold traps. Global, as as-pect's are (`--lib`).
 */

/** A file or a `describe`: what goes before and after each of its specs. */
class SpecGroup {
  before: (() => void)[] = [];
  after: (() => void)[] = [];

  constructor(
    readonly parent: SpecGroup | null,
    readonly name: string,
  ) {}

  /** The names of the groups around, from the outermost. */
  path(): string {
    const parent = this.parent;
    return (parent === null ? '' : parent.path()) + this.name + ' > ';
  }

  enter(): void {
    const parent = this.parent;
    if (parent !== null) parent.enter();
    for (let i = 0; i < this.before.length; i++) this.before[i]();
  }

  leave(): void {
    for (let i = 0; i < this.after.length; i++) this.after[i]();
    const parent = this.parent;
    if (parent !== null) parent.leave();
  }
}

class Spec {
  constructor(
    readonly group: SpecGroup,
    readonly name: string,
    readonly body: () => void,
  ) {}
}

let group: SpecGroup = new SpecGroup(null, '');
const specs: Spec[] = [];
let passed: i32 = 0;
let running: string = '';
let checks: i32 = 0;

/** A file of specs begins: what it says outside of any `describe` is for itself alone. */
export function specFile(name: string): void {
  group = new SpecGroup(null, name);
}

export function describe(name: string, body: () => void): void {
  const outer = group;
  group = new SpecGroup(outer, name);
  body();
  group = outer;
}

export function it(name: string, body: () => void): void {
  specs.push(new Spec(group, name, body));
}

export function beforeEach(body: () => void): void {
  group.before.push(body);
}

export function afterEach(body: () => void): void {
  group.after.push(body);
}

class Expectation<T> {
  constructor(
    readonly actual: T,
    readonly inverted: bool,
  ) {}

  get not(): Expectation<T> {
    return new Expectation<T>(this.actual, !this.inverted);
  }

  toBe(expected: T): void {
    this.hold(this.actual == expected);
  }

  toBeGreaterThan(least: T): void {
    this.hold(this.actual > least);
  }

  toBeLessThan(most: T): void {
    this.hold(this.actual < most);
  }

  private hold(held: bool): void {
    checks += 1;
    if (held == this.inverted) unreachable();
  }
}

export function expect<T>(actual: T): Expectation<T> {
  return new Expectation<T>(actual, false);
}

/** Runs every spec. Traps at the first that fails. */
export function runSpecs(): void {
  for (let i = 0; i < specs.length; i++) {
    const spec = specs[i];
    running = spec.group.path() + spec.name;
    checks = 0;
    spec.group.enter();
    spec.body();
    spec.group.leave();
    passed += 1;
  }
}

/** Specs that passed so far. */
export function passedSpecs(): i32 {
  return passed;
}

/** The spec that ran last, and how many of its expectations were looked at. */
export function runningSpec(): string {
  return running;
}

export function runningChecks(): i32 {
  return checks;
}
