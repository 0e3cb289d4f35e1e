/** A passive socket of a guest: it listens at an address of the backend. */
import { EAGAIN } from '../../assembly/wire/errno.js';
import { callError } from '../core/errors.js';
import { encodeAddress, type Address } from './address.js';
import { Endpoint } from './endpoint.js';
import type { Guest } from './guest.js';
import { GuestSocket } from './socket.js';

export class GuestListener extends Endpoint {
  private turn: Promise<unknown> = Promise.resolve();

  /** Use guest.listen(). */
  constructor(
    guest: Guest,
    handle: number,
    readonly local: Address,
  ) {
    super(guest, handle);
  }

  /** @internal bind and listen; rejects with the backend's own error. */
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

  /** The next connection, in the order of asking. Rejects when the listener is closed. */
  accept(signal?: AbortSignal): Promise<GuestSocket> {
    const mine = this.turn.then(() => this.acceptNext(signal));
    this.turn = mine.catch(() => undefined);
    return mine;
  }

  /** Connections until the listener is closed. */
  async *[Symbol.asyncIterator](): AsyncGenerator<GuestSocket, void, undefined> {
    while (!this.closed) {
      try {
        yield await this.accept();
      } catch (error) {
        if (this.closed) return;
        throw error;
      }
    }
  }

  protected get where(): Address {
    return this.local;
  }

  private async acceptNext(signal?: AbortSignal): Promise<GuestSocket> {
    for (;;) {
      this.assertOpen('accept');
      const result = this.guest.driver.call((core) => core.accept(this.handle));
      if (result > 0) return new GuestSocket(this.guest, result);
      if (result !== -EAGAIN) throw callError('accept', result, this.local);
      await this.readiness(signal);
    }
  }
}
