/** Traffic whose every byte is known: what comes back is held against what went out. */
import type { GuestSocket } from '../../host/index.js';

/** Byte `at` of the stream of socket `id`. */
const byteAt = (id: number, at: number): number => ((id * 31 + at) * 7 + (at >>> 8)) & 0xff;

export class EchoTalk {
  /** Bytes that went out and came back. */
  echoed = 0;
  private sent = 0;
  private readonly out: Buffer;
  private readonly into: Buffer;

  /** `size`: bytes of a message. */
  constructor(
    readonly socket: GuestSocket,
    private readonly id: number,
    readonly size: number,
  ) {
    this.out = Buffer.alloc(size);
    this.into = Buffer.alloc(size);
  }

  /** One message there and back. Rejects when a byte is another one. */
  async trip(): Promise<void> {
    const { out, into, size, socket, id } = this;
    for (let i = 0; i < size; i++) out[i] = byteAt(id, this.sent + i);
    this.sent += size;
    await socket.write(out);
    for (let got = 0; got < size;) {
      const count = await socket.read(into.subarray(got));
      if (count === 0) throw new Error(`socket ${id}: the stream ended after ${this.echoed} bytes`);
      got += count;
    }
    this.echoed += size;
    if (into.equals(out)) return;
    const at = into.findIndex((byte, i) => byte !== out[i]);
    throw new Error(`socket ${id}: byte ${this.sent - size + at} came back as ${into[at]}`);
  }

  async trips(count: number): Promise<void> {
    for (let trip = 0; trip < count; trip++) await this.trip();
  }
}
