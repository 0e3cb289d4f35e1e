/**
 * How a peer's processor sees shared memory. A peer that has a full barrier wherever it needs one
 * is `ordered`: its stores are seen at once. Otherwise stores wait in a buffer, are seen by others
 * in the order they were made, and later loads of the same processor overtake them: what a write
 * barrier alone permits. An event is sent in order with the stores before it.
 */
import { numbersAt } from './numbers.js';

const WORD = 1;
const BYTE = 2;
const EVENT = 3;
const ENTRY = 3; // numbers: kind, address, value

export class PeerCpu {
  private readonly words: Uint32Array;
  private readonly bytes: Uint8Array;
  private readonly buffer: Int32Array;
  private readonly own: { count: number };

  /** Remembers itself in `PeerCpu.size(capacity)` bytes at `at`. */
  constructor(
    memory: WebAssembly.Memory,
    at: number,
    private readonly ordered: boolean,
    private readonly capacity: number,
    private readonly sendEvent: (port: number) => void,
  ) {
    this.words = new Uint32Array(memory.buffer);
    this.bytes = new Uint8Array(memory.buffer);
    this.own = numbersAt(memory, at, ['count']);
    this.buffer = new Int32Array(memory.buffer, at + 4, capacity * ENTRY);
  }

  static size(capacity: number): number {
    return 4 + capacity * ENTRY * 4;
  }

  /** Nothing of this processor's waits to be seen: it may go on behind a full barrier. */
  get settled(): boolean {
    return this.own.count === 0;
  }

  load(address: number): number {
    for (let at = (this.own.count - 1) * ENTRY; at >= 0; at -= ENTRY) {
      const [kind, where, value] = this.buffer.subarray(at, at + ENTRY);
      if (kind === WORD && where === address) return value! >>> 0;
    }
    return this.words[address >>> 2]!;
  }

  loadByte(address: number): number {
    return this.bytes[address]!;
  }

  store(address: number, value: number): void {
    this.put(WORD, address, value);
  }

  storeByte(address: number, value: number): void {
    this.put(BYTE, address, value);
  }

  notify(port = 0): void {
    this.put(EVENT, 0, port);
  }

  /** The oldest of what waits is seen by everybody. */
  settleOne(): void {
    const [kind, address, value] = this.buffer.subarray(0, ENTRY) as unknown as number[];
    this.own.count -= 1;
    this.buffer.copyWithin(0, ENTRY);
    this.buffer.fill(0, this.own.count * ENTRY); // or equal states would look different
    this.perform(kind!, address!, value!);
  }

  private put(kind: number, address: number, value: number): void {
    if (this.ordered) return this.perform(kind, address, value);
    if (this.own.count === this.capacity) throw new Error('the store buffer is too small');
    this.buffer.set([kind, address, value], this.own.count * ENTRY);
    this.own.count += 1;
  }

  private perform(kind: number, address: number, value: number): void {
    if (kind === WORD) this.words[address >>> 2] = value;
    else if (kind === BYTE) this.bytes[address] = value;
    else this.sendEvent(value);
  }
}
