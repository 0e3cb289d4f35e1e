import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type net from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describe, expect, it } from 'vitest';
import { collect, inWorld } from './world.js';

const sha256 = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');

/** Bytes that say where they stand. */
function pattern(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; i++) bytes[i] = (i * 31 + (i >>> 8)) & 0xff;
  return bytes;
}

describe('a stream over a guest socket', () => {
  it('carries a pipeline both ways, byte for byte', () =>
    inWorld(async ({ guest, serve }) => {
      const address = await serve((socket) => socket.pipe(socket));
      const stream = (await (await guest()).connect(address)).stream();
      const sent = pattern(3_000_000);
      const read = (async () => {
        const chunks: Buffer[] = [];
        let size = 0;
        for await (const chunk of stream as AsyncIterable<Buffer>) {
          chunks.push(chunk);
          if ((size += chunk.length) === sent.length) break;
        }
        return Buffer.concat(chunks);
      })();
      await pipeline(
        Readable.from([sent.subarray(0, 1_000_000), sent.subarray(1_000_000)]),
        stream,
        {
          end: false,
        },
      );
      expect(sha256(await read)).toBe(sha256(sent));
    }));

  it('stops a writer when the peer does not read, and goes on when it does', () =>
    inWorld(async ({ guest, serve }) => {
      let peer: net.Socket | undefined;
      const address = await serve((socket) => (peer = socket.pause()));
      const stream = (await (await guest()).connect(address)).stream();
      const chunk = Buffer.alloc(65_536, 1);
      let written = 0;
      while (stream.write(chunk) || written < 100) {
        if (++written > 2_000) throw new Error('nothing ever pushed back');
        await new Promise(setImmediate);
      }
      expect(stream.writableNeedDrain).toBe(true);
      peer!.resume();
      await once(stream, 'drain');
    }));

  it('stops a reader that does not read: the backend holds at most a ring', () =>
    inWorld(async ({ guest, serve }) => {
      const address = await serve((socket) => socket.end(pattern(400_000)));
      const socket = await (await guest()).connect({ ...address, ringOrder: 1 });
      const stream = socket.stream({ highWaterMark: 1024 });
      await once(stream, 'readable');
      await new Promise((later) => setTimeout(later, 30));
      expect(socket.bytesRead).toBeLessThanOrEqual(2 * 4096);
      expect(sha256(await collect(stream))).toBe(sha256(pattern(400_000)));
    }));

  it('ends when the peer ends, and can still write afterwards', () =>
    inWorld(async ({ guest, serve }) => {
      const got: Promise<Buffer>[] = [];
      const address = await serve((socket) => {
        socket.end('the end');
        got.push(collect(socket));
      });
      const stream = (await (await guest()).connect(address)).stream();
      expect((await collect(stream)).toString()).toBe('the end');
      stream.end('afterwards');
      await once(stream, 'close');
      expect((await got[0]!).toString()).toBe('afterwards');
    }));

  it('delivers what was written when it is destroyed right after', () =>
    inWorld(async ({ guest, serve }) => {
      const got: Promise<Buffer>[] = [];
      const address = await serve((socket) => got.push(collect(socket)));
      const stream = (await (await guest()).connect(address)).stream();
      const sent = pattern(30_000); // what the ring takes at once
      stream.write(sent);
      stream.destroy();
      await once(stream, 'close');
      expect(sha256(await got[0]!)).toBe(sha256(sent));
    }));

  it('is destroyed with ECONNRESET when the peer resets', () =>
    inWorld(async ({ guest, serve }) => {
      const address = await serve(
        (socket) => void socket.once('data', () => socket.resetAndDestroy()),
      );
      const stream = (await (await guest()).connect(address)).stream();
      stream.resume().write('now');
      const [error] = (await once(stream, 'error')) as [Error];
      expect(error).toMatchObject({ code: 'ECONNRESET' });
    }));

  it('resets the peer with resetAndDestroy', () =>
    inWorld(async ({ guest, serve }) => {
      const ended: Promise<unknown[]>[] = [];
      const address = await serve((socket) =>
        ended.push(once(socket.resume(), 'error').catch((e) => [e])),
      );
      const stream = (await (await guest()).connect(address)).stream();
      stream.write('hello');
      await new Promise((later) => setTimeout(later, 20));
      stream.resetAndDestroy();
      await once(stream, 'close');
      expect((await ended[0]!)[0]).toMatchObject({ code: 'ECONNRESET' });
    }));

  it('emits timeout when nothing happens for so long', () =>
    inWorld(async ({ guest, serve }) => {
      const address = await serve(() => undefined);
      const stream = (await (await guest()).connect(address)).stream();
      await new Promise<void>((fired) => stream.setTimeout(10, fired));
      stream.destroy();
      await once(stream, 'close');
    }));
});
