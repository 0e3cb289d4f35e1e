/** One life of a listener: a passive socket of the core, bound at one backend. */
import { EAGAIN, EIO } from '../../assembly/wire/errno.js';
import { POLLHUP } from '../../assembly/wire/abi.js';
import { callError } from '../core/errors.js';
import { encodeAddress, type Address } from './address.js';
import { Endpoint } from './endpoint.js';
import type { Guest } from './guest.js';
import { GuestSocket } from './socket.js';

export class PassiveSocket extends Endpoint {
  /** The backend that it was bound at has gone. */
  lost = false;
  /** Called once, when `lost` becomes true. */
  onLost: ((error: Error) => void) | undefined;

  constructor(
    guest: Guest,
    handle: number,
    private readonly local: Address,
  ) {
    super(guest, handle);
  }

  /** bind and listen; rejects with the backend's own error. */
  async start(backlog: number, signal?: AbortSignal): Promise<void> {
    const { bytes, addressAt } = this.guest;
    const bind = (): Promise<void> =>
      this.operate(
        'bind',
        (core) => core.bind(this.handle, addressAt, encodeAddress(bytes, addressAt, this.local)),
        signal,
      );
    await bind();
    await this.operate('listen', (core) => core.listen(this.handle, backlog), signal);
  }

  /** The next connection; undefined when the backend has gone, and this socket with it. */
  async accept(signal?: AbortSignal): Promise<GuestSocket | undefined> {
    for (;;) {
      if (this.lost) return undefined;
      this.assertOpen('accept');
      const result = this.guest.driver.call((core) => core.accept(this.handle));
      if (result > 0) return new GuestSocket(this.guest, result);
      if (result === -EIO && this.isDead()) this.lose(callError('accept', result, this.local));
      else if (result !== -EAGAIN) throw callError('accept', result, this.local);
      else await this.readiness(signal);
    }
  }

  /** Only a socket whose device was lost hangs up while it listens. */
  override handleReady(mask: number): void {
    super.handleReady(mask); // who waits looks again, and finds it lost
    if ((mask & POLLHUP) !== 0) this.lose(callError('accept', -EIO, this.local));
  }

  override handleLost(error: Error): void {
    super.handleReady(POLLHUP);
    this.lose(error);
    super.handleLost(error);
  }

  protected get where(): Address {
    return this.local;
  }

  /** Tells a lost device from a backend that answered EIO itself. */
  private isDead(): boolean {
    return (this.guest.driver.call((core) => core.poll(this.handle)) & POLLHUP) !== 0;
  }

  private lose(error: Error): void {
    if (this.lost || this.closed) return;
    this.lost = true;
    this.onLost?.(error);
  }
}
