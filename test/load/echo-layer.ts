/**
 * A SocketLayer whose every address answers with what it is sent, at once and in this thread. What
 * is left of a round trip is our own: guest, core, machine, backend. Nothing grows with sockets.
 */
import type {
  InetAddress,
  SocketLayer,
  Stream,
  StreamSink,
} from '../../host/backend/socket-layer.js';
import { EADDRNOTAVAIL } from '../../assembly/wire/errno.js';
import type { Scheduler } from '../../host/machine/scheduler.js';

export class EchoLayer implements SocketLayer {
  /** Connections open now. */
  open = 0;

  constructor(private readonly scheduler: Scheduler) {}

  connect(_: InetAddress, sink: StreamSink, done: (result: Stream | number) => void): () => void {
    let cancelled = false;
    this.scheduler.defer(() => {
      if (!cancelled) done(new EchoStream(sink, this));
    });
    return () => void (cancelled = true);
  }

  bind(_: InetAddress, __: unknown, done: (result: number) => void): () => void {
    this.scheduler.defer(() => done(-EADDRNOTAVAIL));
    return () => undefined;
  }

  defer(task: () => void): void {
    this.scheduler.defer(task);
  }
}

class EchoStream implements Stream {
  private rest: Uint8Array[] = [];
  private done: (error: number) => void = () => undefined;
  private closed = false;

  constructor(
    private readonly sink: StreamSink,
    private readonly layer: EchoLayer,
  ) {
    layer.open++;
  }

  resume(): void {
    if (this.rest.length > 0) this.layer.defer(() => this.move());
  }

  send(spans: readonly Uint8Array[], done: (error: number) => void): undefined {
    this.rest = [...spans];
    this.done = done;
    this.layer.defer(() => this.move());
  }

  close(): void {
    if (!this.closed) this.layer.open--;
    this.closed = true;
  }

  /** From ring to ring; what finds no room waits for `resume`. */
  private move(): void {
    if (this.rest.length === 0) return; // done by an earlier turn
    while (!this.closed && this.rest.length > 0) {
      const room = this.sink.room();
      if (room === undefined) return;
      const [first] = this.rest as [Uint8Array];
      const part = first.subarray(0, room.length);
      room.set(part);
      this.sink.received(part.length);
      if (part.length === first.length) this.rest.shift();
      else this.rest[0] = first.subarray(part.length);
    }
    if (!this.closed) this.done(0);
  }
}
