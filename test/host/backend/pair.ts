/** Two guests of one backend, one of which listens: for what happens between guests. */
import {
  NodeSocketLayer,
  type BackendOptions,
  type InetAddress,
  type PolicyCall,
  type Stream,
  type StreamSink,
} from '../../../host/backend/index.js';
import type { Machine } from '../../../host/machine/index.js';
import { TestGuest, withGuest } from './test-guest.js';
import { TestRing } from './test-ring.js';

/** node:net, and how many connects went that way. */
export class CountingLayer extends NodeSocketLayer {
  connects = 0;

  override connect(
    address: InetAddress,
    sink: StreamSink,
    done: (result: Stream | number) => void,
  ): () => void {
    this.connects += 1;
    return super.connect(address, sink, done);
  }
}

export interface PairWorld {
  readonly machine: Machine;
  /** Listens with socket 1. */
  readonly server: TestGuest;
  readonly client: TestGuest;
  readonly port: number;
  readonly layer: CountingLayer;
  /** What the policy was asked, in order. */
  readonly asked: PolicyCall[];
}

/** Both ends of a connection, as each guest has it. */
export interface Joined {
  readonly near: TestRing;
  readonly far: TestRing;
}

export async function withPair(
  test: (world: PairWorld) => Promise<void>,
  options: BackendOptions = {},
  host = '127.0.0.1',
  backlog = 8,
): Promise<void> {
  const layer = new CountingLayer();
  const asked: PolicyCall[] = [];
  const policy = (call: PolicyCall): 'allow' => (asked.push(call), 'allow');
  await withGuest(
    async ({ guest: server, machine, backend }) => {
      const client = new TestGuest(machine, backend);
      await client.connect();
      const rets = [await server.socket(1n), await server.bind(1n, 0, host)];
      if (backlog > 0) rets.push(await server.listen(1n, backlog));
      if (rets.some((ret) => ret !== 0)) throw new Error(`cannot listen: ${rets.join()}`);
      const port = server.boundPort(1n);
      await test({ machine, server, client, port, layer, asked });
      if (client.backendState() === 4) await client.close();
      client.store.close();
    },
    { layer, policy, ...options },
  );
}

/** The client's socket 5 connected to the server's 6. */
export async function join(world: PairWorld, order = 1, farOrder = order): Promise<Joined> {
  const { server, client, port } = world;
  const far = new TestRing(server, farOrder);
  const near = await client.open(5n, port, order);
  const accepted = await server.accept(1n, 6n, far);
  if (accepted !== 0) throw new Error(`cannot accept: ${accepted}`);
  return { near, far };
}

/** Releases both sockets of `join`, and frees their rings. */
export async function part(world: PairWorld, { near, far }: Joined): Promise<void> {
  const rets = [await world.client.release(5n), await world.server.release(6n)];
  if (rets.some((ret) => ret !== 0)) throw new Error(`cannot release: ${rets.join()}`);
  near.free();
  far.free();
}
