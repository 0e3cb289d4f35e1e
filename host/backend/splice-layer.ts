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
import { Allowance, SpliceEnd } from './splice-stream.js';

const ANY = '0.0.0.0';
const LOOPBACK = '127.0.0.1';
/** Bytes held for the connections of one listener, all together: it has others who connect. */
const HELD_PER_LISTENER = 1 << 20;
/** For all sockets of one device: it can have any number of listeners, one after the other. */
const HELD_PER_DEVICE = 1 << 22;
/** Ports that a connection seems to come from; Linux chooses its own below these. */
const FIRST_PORT = 61000;
const LAST_PORT = 65535;

const isLoopback = (host: string): boolean => host.startsWith('127.');

/** What the devices of one backend have in common. */
interface Exchange {
  /** By "<host>:<port>". */
  readonly listeners: Map<string, SpliceListener>;
  nextPort: number;
}

export class SpliceLayer implements SocketLayer {
  private readonly allowance = new Allowance(HELD_PER_DEVICE);

  constructor(
    private readonly below: SocketLayer,
    private readonly scheduler: Scheduler,
    private readonly exchange: Exchange = { listeners: new Map(), nextPort: FIRST_PORT },
  ) {}

  /** The same for another device, which meets this one. */
  forDevice(): SpliceLayer {
    return new SpliceLayer(this.below, this.scheduler, this.exchange);
  }

  connect(
    address: InetAddress,
    sink: StreamSink,
    done: (result: Stream | number) => void,
  ): () => void {
    const listener = this.find(address);
    if (listener === undefined) return this.below.connect(address, sink, done);
    let cancelled = false;
    this.scheduler.defer(() => {
      if (!cancelled) done(this.join(listener, address, sink) ?? -ECONNREFUSED);
    });
    return () => (cancelled = true);
  }

  bind(
    address: InetAddress,
    offered: (stream: PendingStream) => void,
    done: (result: Listener | number) => void,
  ): () => void {
    const { listeners } = this.exchange;
    let listener: SpliceListener | undefined;
    return this.below.bind(
      address,
      (stream) => listener?.offerFromOutside(stream),
      (result) => {
        if (typeof result === 'number') return done(result);
        const { host, port } = result.address;
        const key = `${host}:${port}`;
        const { allowance } = this;
        listener = new SpliceListener(result, offered, allowance, () => listeners.delete(key));
        listeners.set(key, listener);
        done(listener);
      },
    );
  }

  private join(listener: SpliceListener, to: InetAddress, sink: StreamSink): Stream | undefined {
    return listener.join(this.nameOf(to), sink, this.allowance);
  }

  private find({ host, port }: InetAddress): SpliceListener | undefined {
    const { listeners } = this.exchange;
    const exact = listeners.get(`${host}:${port}`);
    if (exact !== undefined) return exact;
    if (isLoopback(host)) return listeners.get(`${ANY}:${port}`);
    return host === ANY ? listeners.get(`${LOOPBACK}:${port}`) : undefined; // as Linux does
  }

  /** Where a connection to this address would come from. */
  private nameOf({ host }: InetAddress): InetAddress {
    const port = this.exchange.nextPort;
    this.exchange.nextPort = port === LAST_PORT ? FIRST_PORT : port + 1;
    return { host: host === ANY || isLoopback(host) ? LOOPBACK : host, port };
  }
}

/** A listener of the layer below, and what waits on it from there and from here. */
class SpliceListener implements Listener {
  readonly address: InetAddress;
  private readonly pending = new Set<PendingStream>();
  private readonly allowance: Allowance;
  private backlog = 0;

  constructor(
    private readonly below: Listener,
    private readonly offered: (stream: PendingStream) => void,
    allowance: Allowance,
    private readonly closed: () => void,
  ) {
    this.address = below.address;
    this.allowance = new Allowance(HELD_PER_LISTENER, allowance);
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
  join(remote: InetAddress, sink: StreamSink, allowance: Allowance): Stream | undefined {
    if (this.pending.size >= this.backlog) return undefined;
    const [near, far] = SpliceEnd.pair(sink, allowance, this.allowance);
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
