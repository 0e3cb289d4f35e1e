/**
 * The scripted SocketLayer, for seeded runs: hosts and programs in memory, whose delays, partial
 * reads and failures are drawn from a seed and scheduled on the machine's scheduler. With a seeded
 * scheduler a whole run is a function of its seed. Guests reach each other through addresses they
 * bind, as they would through the backend's localhost.
 */
import {
  EADDRINUSE,
  ECONNREFUSED,
  ECONNRESET,
  EHOSTUNREACH,
  ETIMEDOUT,
} from '../../assembly/wire/errno.js';
import { Random } from '../machine/random.js';
import type { Scheduler } from '../machine/scheduler.js';
import {
  Flow,
  later,
  Peer,
  ScriptedStream,
  type PeerScript,
  type Weather,
} from './scripted-stream.js';
import type {
  InetAddress,
  Listener,
  PendingStream,
  SocketLayer,
  Stream,
  StreamSink,
} from './socket-layer.js';

export { Peer, type PeerScript } from './scripted-stream.js';

export interface ScriptedOptions {
  readonly scheduler: Scheduler;
  readonly seed: number;
  /** Longest that one step of a connection takes. Default 10. */
  readonly delayMaxMs?: number;
  /** Bytes in flight per direction. Default 16,384. */
  readonly capacity?: number;
  /** Share of connects that fail although somebody listens, with an errno of chance. Default 0. */
  readonly connectFailures?: number;
}

const CONNECT_ERRORS = [-ECONNREFUSED, -ETIMEDOUT, -EHOSTUNREACH];
const EPHEMERAL_PORTS = 32768;

const keyOf = ({ host, port }: InetAddress): string => `${host}:${port}`;

export class ScriptedLayer implements SocketLayer {
  /** What happened so far, for the account of a run. */
  readonly counts = { connected: 0, refused: 0, failed: 0, accepted: 0, overflowed: 0 };
  private readonly weather: Weather;
  private readonly servers = new Map<string, () => PeerScript>();
  private readonly listeners = new Map<string, ScriptedListener>();
  private nextPort = EPHEMERAL_PORTS;

  constructor(private readonly options: ScriptedOptions) {
    const { scheduler, seed, delayMaxMs = 10 } = options;
    this.weather = { scheduler, random: new Random(seed), delayMaxMs };
  }

  /** A program that listens; each connection gets a script of its own. */
  serve(address: InetAddress, script: () => PeerScript): void {
    this.servers.set(keyOf(address), script);
  }

  /** A program that connects to what a guest listens on; refusal comes as `ended`. */
  dial(address: InetAddress, script: PeerScript): void {
    later(this.weather, () => {
      const [near, far] = [this.newFlow(), this.newFlow()];
      const peer = new Peer(address, near, far, this.weather, script);
      const listener = this.listeners.get(keyOf(address));
      const error = listener?.offer(address, far, near) ?? -ECONNREFUSED;
      if (error === 0) script.opened?.(peer);
      else near.end(error);
    });
  }

  connect(
    address: InetAddress,
    sink: StreamSink,
    done: (result: Stream | number) => void,
  ): () => void {
    return later(this.weather, () => {
      if (this.weather.random.chance(this.options.connectFailures ?? 0)) {
        this.counts.failed += 1;
        return done(this.weather.random.pick(CONNECT_ERRORS));
      }
      const [near, far] = [this.newFlow(), this.newFlow()];
      const error = this.reach(address, near, far);
      if (error !== 0) {
        this.counts.refused += 1;
        return done(error);
      }
      this.counts.connected += 1;
      done(new ScriptedStream(sink, near, far, this.weather));
    });
  }

  bind(
    address: InetAddress,
    offered: (stream: PendingStream) => void,
    done: (result: Listener | number) => void,
  ): () => void {
    return later(this.weather, () => {
      const port = address.port === 0 ? this.nextPort++ : address.port;
      const key = `${address.host}:${port}`;
      if (this.listeners.has(key) || this.servers.has(key)) return done(-EADDRINUSE);
      const listener = new ScriptedListener(
        { ...address, port },
        { weather: this.weather, counts: this.counts, closed: () => this.listeners.delete(key) },
        offered,
      );
      this.listeners.set(key, listener);
      done(listener);
    });
  }

  /** `near` brings bytes to who connects, `far` takes them away. Result: 0 or a negative errno. */
  private reach(address: InetAddress, near: Flow, far: Flow): number {
    const script = this.servers.get(keyOf(address))?.();
    if (script !== undefined) {
      const peer = new Peer(address, far, near, this.weather, script);
      later(this.weather, () => script.opened?.(peer));
      return 0;
    }
    return this.listeners.get(keyOf(address))?.offer(address, far, near) ?? -ECONNREFUSED;
  }

  private newFlow(): Flow {
    return new Flow(this.options.capacity ?? 16384);
  }
}

class ScriptedListener implements Listener {
  private readonly pending = new Set<PendingStream>();
  private backlog = 0;

  constructor(
    readonly address: InetAddress,
    private readonly layer: {
      readonly weather: Weather;
      readonly counts: ScriptedLayer['counts'];
      readonly closed: () => void;
    },
    private readonly offered: (stream: PendingStream) => void,
  ) {}

  listen(backlog: number): void {
    this.backlog = backlog;
  }

  close(): void {
    this.layer.closed();
    for (const stream of [...this.pending]) stream.reject();
  }

  /** A connection arrives. Result: 0, or -ECONNRESET before LISTEN and beyond the backlog. */
  offer(remote: InetAddress, inbound: Flow, outbound: Flow): number {
    const { pending } = this;
    const { weather, counts } = this.layer;
    if (pending.size >= this.backlog) {
      counts.overflowed += 1;
      return -ECONNRESET;
    }
    const stream: PendingStream = {
      remote,
      accept(sink) {
        pending.delete(stream);
        counts.accepted += 1;
        return new ScriptedStream(sink, inbound, outbound, weather);
      },
      reject() {
        pending.delete(stream);
        outbound.end(-ECONNRESET);
        inbound.break();
      },
    };
    pending.add(stream);
    later(weather, () => {
      if (pending.has(stream)) this.offered(stream);
    });
    return 0;
  }
}

// Scripts for common programs.

/** Sends back what comes, and ends when the other side does. */
export function echoScript(): PeerScript {
  return {
    received: (peer, bytes) => peer.write(bytes),
    ended: (peer) => peer.end(),
  };
}

/** Sends the bytes, then ends. */
export function sourceScript(bytes: Uint8Array): PeerScript {
  return {
    opened: (peer) => {
      peer.write(bytes);
      peer.end();
    },
  };
}

/** Reads to the end and hands over what came, with 0 or the errno of the end. */
export function sinkScript(done: (bytes: Uint8Array, error: number) => void): PeerScript {
  const parts: Uint8Array[] = [];
  return {
    received: (_peer, bytes) => void parts.push(bytes),
    ended: (peer, error) => {
      peer.end();
      done(Buffer.concat(parts), error);
    },
  };
}

/** Resets the connection once so many bytes have come; before that does as `script` does. */
export function resetScript(afterBytes: number, script: PeerScript = echoScript()): PeerScript {
  let received = 0;
  return {
    ...script,
    received: (peer, bytes) => {
      received += bytes.length;
      if (received >= afterBytes) peer.reset();
      else script.received?.(peer, bytes);
    },
  };
}
