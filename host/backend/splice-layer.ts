/**
 * The splice: a SocketLayer over another one. A connect that meets a listener of this backend does
 * not leave it: the two rings are joined, see splice-stream.ts. Everything else, and everybody who
 * connects from outside, goes through the layer below. Above the seam nothing differs: policy,
 * quotas, states and counters are the same.
 *
 * A connect meets the listener that is bound to exactly its address, or, when the address is
 * loopback, to the wildcard: where the host itself would take it. On other addresses of the host a
 * wildcard listener is reached through the host, whose routes and filters may know better.
 */
import { ECONNREFUSED } from '../../assembly/wire/errno.js';
import type { Scheduler } from '../machine/scheduler.js';
import type {
  InetAddress,
  Listener,
  PendingStream,
  SocketLayer,
  Stream,
  StreamSink,
} from './socket-layer.js';
import { SpliceEnd } from './splice-stream.js';

const ANY = '0.0.0.0';
const LOOPBACK = '127.0.0.1';
/** Bytes held for the connections of one listener, all together. */
const HELD_PER_LISTENER = 1 << 20;
/** Ports that a connection seems to come from; Linux chooses its own below these. */
const FIRST_PORT = 61000;
const LAST_PORT = 65535;

const isLoopback = (host: string): boolean => host.startsWith('127.');

export class SpliceLayer implements SocketLayer {
  /** By "<host>:<port>". */
  private readonly listeners = new Map<string, SpliceListener>();
  private nextPort = FIRST_PORT;

  constructor(
    private readonly below: SocketLayer,
    private readonly scheduler: Scheduler,
  ) {}

  connect(
    address: InetAddress,
    sink: StreamSink,
    done: (result: Stream | number) => void,
  ): () => void {
    const listener = this.find(address);
    if (listener === undefined) return this.below.connect(address, sink, done);
    let cancelled = false;
    this.scheduler.defer(() => {
      if (!cancelled) done(listener.join(this.nameOf(address), sink) ?? -ECONNREFUSED);
    });
    return () => (cancelled = true);
  }

  bind(
    address: InetAddress,
    offered: (stream: PendingStream) => void,
    done: (result: Listener | number) => void,
  ): () => void {
    let listener: SpliceListener | undefined;
    return this.below.bind(
      address,
      (stream) => listener?.offerFromOutside(stream),
      (result) => {
        if (typeof result === 'number') return done(result);
        const { host, port } = result.address;
        const key = `${host}:${port}`;
        listener = new SpliceListener(result, offered, () => this.listeners.delete(key));
        this.listeners.set(key, listener);
        done(listener);
      },
    );
  }

  private find({ host, port }: InetAddress): SpliceListener | undefined {
    const { listeners } = this;
    const exact = listeners.get(`${host}:${port}`);
    if (exact !== undefined) return exact;
    if (isLoopback(host)) return listeners.get(`${ANY}:${port}`);
    return host === ANY ? listeners.get(`${LOOPBACK}:${port}`) : undefined; // as Linux does
  }

  /** Where a connection to this address would come from. */
  private nameOf({ host }: InetAddress): InetAddress {
    const port = this.nextPort;
    this.nextPort = port === LAST_PORT ? FIRST_PORT : port + 1;
    return { host: host === ANY || isLoopback(host) ? LOOPBACK : host, port };
  }
}

/** A listener of the layer below, and what waits on it from there and from here. */
class SpliceListener implements Listener {
  readonly address: InetAddress;
  private readonly pending = new Set<PendingStream>();
  private readonly allowance = { bytes: HELD_PER_LISTENER };
  private backlog = 0;

  constructor(
    private readonly below: Listener,
    private readonly offered: (stream: PendingStream) => void,
    private readonly closed: () => void,
  ) {
    this.address = below.address;
  }

  listen(backlog: number): void {
    this.backlog = backlog;
    this.below.listen(backlog);
  }

  close(): void {
    this.backlog = 0;
    this.closed();
    this.below.close();
    for (const stream of [...this.pending]) stream.reject();
  }

  /** The end of who connects; undefined: refused, for nobody listens or too many wait. */
  join(remote: InetAddress, sink: StreamSink): Stream | undefined {
    if (this.pending.size >= this.backlog) return undefined;
    const [near, far] = SpliceEnd.pair(sink, this.allowance);
    this.offer({
      remote,
      accept: (acceptor) => far.attach(acceptor),
      reject: () => far.close(true),
    });
    return near;
  }

  /** The layer below counts its own; the backlog is for all. */
  offerFromOutside(stream: PendingStream): void {
    if (this.pending.size >= this.backlog) stream.reject();
    else this.offer(stream);
  }

  private offer(stream: PendingStream): void {
    const { pending } = this;
    const counted: PendingStream = {
      remote: stream.remote,
      accept(sink) {
        pending.delete(counted);
        return stream.accept(sink);
      },
      reject() {
        if (pending.delete(counted)) stream.reject();
      },
    };
    pending.add(counted);
    this.offered(counted);
  }
}
