/**
 * The real SocketLayer, on node:net: IPv4, numbers only, nothing is resolved here.
 *
 * Copies: none in our memory for a connection we made, in either direction: the kernel reads from
 * and writes to ring pages. Node offers no `onread` for sockets that a server accepted, so those
 * have one copy inbound. Node errors become errno by name.
 */
import net from 'node:net';
import { errnoOf } from './errors.js';
import { NodeStream } from './node-stream.js';
import type {
  InetAddress,
  Listener,
  PendingStream,
  SocketLayer,
  Stream,
  StreamSink,
} from './socket-layer.js';

/** Length of the host kernel's own queue; what a guest asked for is applied on top of it. */
const HOST_BACKLOG = 511;

export class NodeSocketLayer implements SocketLayer {
  connect(
    address: InetAddress,
    sink: StreamSink,
    done: (result: Stream | number) => void,
  ): () => void {
    const stream = new NodeStream(sink);
    const socket = net.connect({
      host: address.host,
      port: address.port,
      allowHalfOpen: true,
      noDelay: true,
      onread: stream.onread,
    });
    socket.pause(); // until `resume`
    let settled = false;
    socket.once('connect', () => {
      if (settled) return;
      settled = true;
      stream.attach(socket);
      done(stream);
    });
    socket.on('error', (error) => {
      if (settled) return; // from here on the stream listens
      settled = true;
      stream.close(false);
      done(errnoOf(error));
    });
    return () => {
      settled = true;
      stream.close(false);
      socket.destroy();
    };
  }

  bind(
    address: InetAddress,
    offered: (stream: PendingStream) => void,
    done: (result: Listener | number) => void,
  ): () => void {
    const listener = new NodeListener(offered, done);
    listener.bind(address);
    return () => listener.cancel();
  }
}

/** A server that resets connections until `listen`, and beyond the backlog. */
class NodeListener implements Listener {
  private readonly server: net.Server;
  private readonly pending = new Set<PendingConnection>();
  private backlog = 0;
  private settled = false;

  constructor(
    private readonly offered: (stream: PendingStream) => void,
    private readonly done: (result: Listener | number) => void,
  ) {
    this.server = net.createServer(
      { allowHalfOpen: true, pauseOnConnect: true, noDelay: true },
      (socket) => this.handleConnection(socket),
    );
  }

  get address(): InetAddress {
    const address = this.server.address() as net.AddressInfo | null;
    return { host: address?.address ?? '0.0.0.0', port: address?.port ?? 0 };
  }

  bind(address: InetAddress): void {
    this.server.on('error', (error) => this.settle(errnoOf(error)));
    this.server.once('listening', () => this.settle(this));
    this.server.listen({ host: address.host, port: address.port, backlog: HOST_BACKLOG });
  }

  listen(backlog: number): void {
    this.backlog = backlog;
  }

  /** Node looks even a numeric host up before it listens: a cancelled one is closed then. */
  cancel(): void {
    this.settled = true;
    this.server.once('listening', () => this.close());
    this.close();
  }

  close(): void {
    this.server.close();
    for (const connection of [...this.pending]) connection.reject();
  }

  private settle(result: Listener | number): void {
    if (this.settled) return; // once bound, a failed accept(2) concerns one connection only
    this.settled = true;
    this.done(result);
  }

  private handleConnection(socket: net.Socket): void {
    const connection = new PendingConnection(socket, () => this.pending.delete(connection));
    if (!this.server.listening || this.pending.size >= this.backlog) {
      connection.reject();
      return;
    }
    this.pending.add(connection);
    this.offered(connection);
  }
}

class PendingConnection implements PendingStream {
  readonly remote: InetAddress;
  /** Of an error that came before anyone took the connection. */
  private error: Error | undefined;
  private readonly remember = (error: Error): void => {
    this.error = error;
  };

  constructor(
    private readonly socket: net.Socket,
    private readonly settled: () => void,
  ) {
    this.remote = { host: socket.remoteAddress ?? '0.0.0.0', port: socket.remotePort ?? 0 };
    socket.on('error', this.remember);
  }

  accept(sink: StreamSink): Stream {
    this.settled();
    const stream = new NodeStream(sink);
    this.socket.on('data', stream.handleData);
    stream.attach(this.socket);
    if (this.error !== undefined) stream.fail(this.error);
    return stream;
  }

  reject(): void {
    this.settled();
    this.socket.resetAndDestroy();
  }
}
