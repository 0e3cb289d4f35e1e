/**
 * The backend side of one device in xenbus. Spec: pvcalls, "State Machine".
 *
 *   Initialising -> InitWait -> Connected -> Closing -> Closed -> InitWait ...
 *
 * States can be missed, so every step reacts to where the frontend is now, not to how it got
 * there. InitWait: features are published. Connected: the frontend was Initialised, or already
 * Connected, and its ring is mapped. Whatever else the frontend does in Connected ends the
 * connection; Closed and then Initialising again starts over.
 * Trust: the frontend's directory is the guest's; each node is read once per step and parsed
 * strictly. The backend's directory is the toolstack's.
 */
import * as xenbus from '../../assembly/wire/xenbus.js';
import type { RingLayout } from './data-ring.js';
import type { StoreView } from './machine-view.js';

const SHOWN_MAX = 16; // characters

export interface Features {
  readonly layout: RingLayout;
  readonly maxOrder: number;
  readonly offersReset: boolean;
}

/** What the frontend published. */
export interface Transport {
  readonly ringRef: number;
  readonly port: number;
}

export interface DeviceHooks {
  /** Maps the ring and starts; a sentence when it cannot. */
  connect(transport: Transport): string | undefined;
  /** Closes sockets and ring; also called when there is nothing to close. */
  disconnect(): void;
  fault(reason: string): void;
}

export class XenbusDevice {
  state: number = xenbus.XENBUS_STATE_INITIALISING;
  private closing: (() => void) | undefined;
  /** The frontend is still where an earlier backend left it: it is for us to begin. */
  private leftover = false;
  /**
   * Another backend had the device before. Its end may reach the frontend only after we have taken
   * what was published for it: then the frontend closes without ever having been Connected to us.
   * A backend that died without a word has left both ends at Connected, and a ring in mid-life.
   */
  private readonly inherited: boolean;
  private met = false;

  constructor(
    private readonly store: StoreView,
    private readonly backendPath: string,
    readonly frontendPath: string,
    private readonly features: Features,
    private readonly hooks: DeviceHooks,
  ) {
    const before = this.read(backendPath, 'state');
    this.inherited = before !== undefined && before !== String(xenbus.XENBUS_STATE_INITIALISING);
  }

  /** Takes the next steps that the frontend's state allows. */
  handleFrontend(): void {
    for (let before = -1; before !== this.state;) {
      before = this.state;
      this.step(this.frontendState());
    }
  }

  /** The backend found the connection at fault: closes, and waits for the frontend to. */
  fail(reason: string): void {
    this.hooks.disconnect();
    this.become(xenbus.XENBUS_STATE_CLOSING);
    this.hooks.fault(reason);
  }

  /** Spec: pvcalls, "Shutdown", begun by us. `done` once both sides are closed. */
  shutdown(done: () => void): void {
    const connected = this.state === xenbus.XENBUS_STATE_CONNECTED;
    this.hooks.disconnect();
    this.closing = done;
    if (this.state !== xenbus.XENBUS_STATE_CLOSED) this.become(xenbus.XENBUS_STATE_CLOSING);
    if (connected) this.handleFrontend();
    else this.finishShutdown();
  }

  /** Goes to Closed whatever the frontend does: the deadline of a shutdown. */
  finishShutdown(): void {
    if (this.state !== xenbus.XENBUS_STATE_CLOSED) this.become(xenbus.XENBUS_STATE_CLOSED);
    const done = this.closing;
    this.closing = () => undefined;
    done?.();
  }

  private step(frontend: number): void {
    switch (this.state) {
      case xenbus.XENBUS_STATE_INITIALISING:
        return this.publish();
      case xenbus.XENBUS_STATE_INIT_WAIT:
        return this.stepInitWait(frontend);
      case xenbus.XENBUS_STATE_CONNECTED:
        return this.stepConnected(frontend);
      case xenbus.XENBUS_STATE_CLOSING:
        return this.stepClosing(frontend);
      case xenbus.XENBUS_STATE_CLOSED:
        return this.stepClosed(frontend);
    }
  }

  private stepInitWait(frontend: number): void {
    this.leftover &&= this.isLeftover(frontend);
    this.leftover ||= this.inherited && isOver(frontend);
    if (this.leftover) return;
    switch (frontend) {
      case xenbus.XENBUS_STATE_INITIALISED:
      case xenbus.XENBUS_STATE_CONNECTED:
        return this.connect();
      case xenbus.XENBUS_STATE_CLOSING:
        return this.become(xenbus.XENBUS_STATE_CLOSING);
      case xenbus.XENBUS_STATE_CLOSED:
        return this.become(xenbus.XENBUS_STATE_CLOSED);
    }
  }

  private stepConnected(frontend: number): void {
    this.met ||= frontend === xenbus.XENBUS_STATE_CONNECTED;
    switch (frontend) {
      case xenbus.XENBUS_STATE_CLOSING:
        this.hooks.disconnect();
        if (this.inherited && !this.met) return this.publish();
        return this.become(xenbus.XENBUS_STATE_CLOSING);
      case xenbus.XENBUS_STATE_CLOSED:
      case xenbus.XENBUS_STATE_UNKNOWN:
        this.hooks.disconnect();
        return this.become(xenbus.XENBUS_STATE_CLOSED);
      case xenbus.XENBUS_STATE_INITIALISING:
      case xenbus.XENBUS_STATE_INIT_WAIT:
        // The frontend began again without closing, as after a crash of its kernel.
        this.hooks.disconnect();
        return this.publish();
    }
  }

  private stepClosing(frontend: number): void {
    const { XENBUS_STATE_CLOSED, XENBUS_STATE_INITIALISING, XENBUS_STATE_UNKNOWN } = xenbus;
    if (
      frontend === XENBUS_STATE_CLOSED ||
      frontend === XENBUS_STATE_INITIALISING ||
      frontend === XENBUS_STATE_UNKNOWN
    ) {
      this.become(XENBUS_STATE_CLOSED);
      if (this.closing !== undefined) this.finishShutdown();
    }
  }

  /** Initialised here means that Initialising was missed: who was Closed has a new ring. */
  private stepClosed(frontend: number): void {
    const again =
      frontend === xenbus.XENBUS_STATE_INITIALISING || frontend === xenbus.XENBUS_STATE_INITIALISED;
    if (again && this.closing === undefined && this.read(this.backendPath, 'online') !== '0') {
      this.publish();
    }
  }

  /** Spec: pvcalls, "Backend XenBus Nodes". The state comes last: nodes are there when it is. */
  private publish(): void {
    const { layout, maxOrder, offersReset } = this.features;
    this.write(layout === 'v7' ? 'version' : 'versions', '1');
    this.write('max-page-order', String(maxOrder));
    this.write('function-calls', '1');
    if (offersReset) this.write('feature-reset', '1');
    this.leftover = this.isLeftover(this.frontendState());
    this.become(xenbus.XENBUS_STATE_INIT_WAIT);
  }

  private connect(): void {
    if (this.features.layout === 'v1') {
      const version = this.read(this.frontendPath, 'version');
      if (version !== '1') {
        return this.fail(`the frontend's version is ${show(version)}; this backend speaks 1`);
      }
    }
    const ringRef = this.readNumber('ring-ref');
    const port = this.readNumber('port');
    if (ringRef === undefined || port === undefined) {
      return this.fail('ring-ref or port of the frontend is not a number');
    }
    const refusal = this.hooks.connect({ ringRef, port });
    if (refusal !== undefined) return this.fail(refusal);
    this.become(xenbus.XENBUS_STATE_CONNECTED);
  }

  /** Whether the frontend stands where an earlier backend left it: it is for it to begin again. */
  private isLeftover(frontend: number): boolean {
    return isOver(frontend) || (this.inherited && frontend === xenbus.XENBUS_STATE_CONNECTED);
  }

  private frontendState(): number {
    const state = this.readNumber('state') ?? xenbus.XENBUS_STATE_UNKNOWN;
    return state <= xenbus.XENBUS_STATE_RECONFIGURED ? state : xenbus.XENBUS_STATE_UNKNOWN;
  }

  private readNumber(node: string): number | undefined {
    const text = this.read(this.frontendPath, node);
    if (text === undefined || !/^\d{1,10}$/.test(text)) return undefined;
    const number = Number(text);
    return number <= 0xffffffff ? number : undefined;
  }

  private read(directory: string, node: string): string | undefined {
    try {
      return this.store.read(`${directory}/${node}`);
    } catch {
      return undefined;
    }
  }

  private become(state: number): void {
    this.state = state;
    this.write('state', String(state));
  }

  /** A device that the toolstack removed must not come back by our writing to it. */
  private write(node: string, value: string): void {
    if (this.read(this.backendPath, 'frontend') === undefined) return;
    this.store.write(`${this.backendPath}/${node}`, value);
  }
}

/** What a guest wrote, fit for a line of a log. */
function show(text: string | undefined): string {
  return text === undefined ? 'absent' : JSON.stringify(text.slice(0, SHOWN_MAX));
}

function isOver(state: number): boolean {
  return state === xenbus.XENBUS_STATE_CLOSING || state === xenbus.XENBUS_STATE_CLOSED;
}
