/** A SocketLayer whose connects and binds are done when the test says so. */
import type { Listener, SocketLayer, Stream } from '../../../host/backend/index.js';

export class SlowLayer implements SocketLayer {
  readonly connects: { done: (result: Stream | number) => void; cancelled: boolean }[] = [];
  readonly binds: { done: (result: Listener | number) => void; cancelled: boolean }[] = [];

  connect(_address: unknown, _sink: unknown, done: (result: Stream | number) => void): () => void {
    const entry = { done, cancelled: false };
    this.connects.push(entry);
    return () => (entry.cancelled = true);
  }

  bind(_address: unknown, _offered: unknown, done: (result: Listener | number) => void) {
    const entry = { done, cancelled: false };
    this.binds.push(entry);
    return () => (entry.cancelled = true);
  }
}

export const idleStream: Stream = {
  resume: () => undefined,
  send: () => undefined,
  close: () => undefined,
};
