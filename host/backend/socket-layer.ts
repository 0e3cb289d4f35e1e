/**
 * The seam between the PV Calls backend and real sockets. `node-net.ts` is the one on node:net;
 * the scripted fake for seeded tests is the other.
 *
 * Errors are negative errno numbers as the wire carries them. Nothing here calls back from inside
 * a call, except where it says so.
 */
export interface InetAddress {
  /** Dotted IPv4. */
  readonly host: string;
  readonly port: number;
}

/** Where a stream puts what it receives, and takes what it sends: the data ring, seen as spans. */
export interface StreamSink {
  /**
   * Room for received bytes, contiguous, at least 1 byte; undefined when there is none now: the
   * stream stops reading until `resume`.
   */
  room(): Uint8Array | undefined;
  /** So many bytes were written into the last `room()`. */
  received(bytes: number): void;
  /** Copies what there is room for. Result: bytes; when not all, the stream waits for `resume`. */
  put(spans: readonly Uint8Array[]): number;
  /** A `send` that took not all at once would take more now. */
  writable(): void;
  /** No more bytes will come: 0 for an orderly end, else a negative errno. At most once. */
  ended(error: number): void;
}

export interface Stream {
  /** Starts reading into the sink, or goes on after `room()` said there was none. */
  resume(): void;
  /**
   * Sends the spans; `done` when the kernel has taken all of them or failed. One at a time.
   * A stream that takes bytes at once gives their number instead, or a negative errno, and never
   * calls `done`; after less than all it tells the sink that it is `writable`.
   */
  send(spans: readonly Uint8Array[], done: (error: number) => void): number | undefined;
  /** Only where `send` gives numbers: the same before an orderly close, and nobody waits. */
  sendLast?(spans: readonly Uint8Array[]): number;
  /** Closes: orderly (FIN after what was sent) or with a reset. The sink is not called again. */
  close(reset: boolean): void;
}

/** Supplies the sink of a new stream, so that nothing is read before there is a place for it. */
export interface PendingStream {
  readonly remote: InetAddress;
  /** Takes the connection. */
  accept(sink: StreamSink): Stream;
  /** Resets it instead. */
  reject(): void;
}

export interface Listener {
  /** Where it is bound: with the port that the host chose when 0 was asked for. */
  readonly address: InetAddress;
  /** From now on connections are offered; before, they are reset. */
  listen(backlog: number): void;
  /** Stops listening and resets what was never accepted. */
  close(): void;
}

export interface SocketLayer {
  /**
   * Connects. `done` is called once, later: with the stream or a negative errno. Result: cancel,
   * after which neither `done` nor the sink is called. `room` may be asked inside this call.
   */
  connect(
    address: InetAddress,
    sink: StreamSink,
    done: (result: Stream | number) => void,
  ): () => void;
  /**
   * Binds. `done` is called once, later: with the listener or a negative errno. `offered` is called
   * for every connection after `listen`. Result: cancel.
   */
  bind(
    address: InetAddress,
    offered: (stream: PendingStream) => void,
    done: (result: Listener | number) => void,
  ): () => void;
}
