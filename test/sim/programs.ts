/**
 * The programs outside: one that answers calls, one that calls a guest. They are the same on
 * scripted and on real sockets, and write what they see into the ledger.
 */
import type net from 'node:net';
import { errnoOf } from '../../host/backend/index.js';
import {
  decodeHeader,
  downId,
  encodeHeader,
  HEADER_SIZE,
  sendsDown,
  sendsUp,
  type Talk,
} from './conversation.js';
import type { Entry, Ledger } from './ledger.js';
import { check, patternOf } from './pattern.js';

/** What a program may do with its connection: a Peer of the scripted layer, or a net.Socket. */
export interface Line {
  write(bytes: Uint8Array): void;
  end(): void;
  reset(): void;
}

/** Fits PeerScript of the scripted layer. */
export interface Program {
  opened?(line: Line): void;
  received(line: Line, bytes: Uint8Array): void;
  /** 0 for an orderly end, else a negative errno. */
  ended(line: Line, error: number): void;
}

/** Answers one call. */
export class Responder implements Program {
  private header: Uint8Array = new Uint8Array(0);
  private entry: Entry | undefined;

  constructor(private readonly ledger: Ledger) {}

  received(line: Line, bytes: Uint8Array): void {
    if (this.entry !== undefined) return this.take(line, this.entry, bytes);
    const missing = HEADER_SIZE - this.header.length;
    this.header = Buffer.concat([this.header, bytes.subarray(0, missing)]);
    if (this.header.length < HEADER_SIZE) return;
    const talk = decodeHeader(this.header);
    this.entry = this.ledger.open(talk);
    if (downId(talk) !== talk.id && sendsDown(talk)) {
      line.write(patternOf(downId(talk), 0, talk.length));
      if (talk.mode === 'cut') line.reset();
      else line.end();
    }
    if (bytes.length > missing) this.take(line, this.entry, bytes.subarray(missing));
  }

  ended(line: Line, error: number): void {
    if (this.entry !== undefined) this.entry.ended = error;
    line.end();
  }

  private take(line: Line, entry: Entry, bytes: Uint8Array): void {
    const { mode, id, after } = entry.talk;
    note(entry, bytes, id);
    if (mode === 'reset' && entry.received >= after) line.reset();
    else if (mode === 'echo' || mode === 'reset') line.write(bytes);
  }
}

/** Calls a guest and does its part of the talk. */
export class Caller implements Program {
  private readonly entry: Entry;

  constructor(
    ledger: Ledger,
    private readonly talk: Talk,
  ) {
    this.entry = ledger.open(talk);
  }

  opened(line: Line): void {
    const { talk } = this;
    line.write(encodeHeader(talk));
    if (sendsUp(talk)) line.write(patternOf(talk.id, 0, talk.length));
    if (talk.mode === 'up') line.end();
  }

  received(line: Line, bytes: Uint8Array): void {
    note(this.entry, bytes, downId(this.talk));
    if (this.talk.mode === 'echo' && this.entry.received >= this.talk.length) line.end();
  }

  ended(line: Line, error: number): void {
    this.entry.ended = error;
    line.end();
  }
}

function note(entry: Entry, bytes: Uint8Array, id: number): void {
  try {
    check(bytes, id, entry.received);
  } catch (error) {
    entry.wrong ??= (error as Error).message;
  }
  entry.received += bytes.length;
}

/** Runs a program on a real socket, which it closes. */
export function attach(socket: net.Socket, program: Program): void {
  const line: Line = {
    write: (bytes) => void socket.write(bytes),
    end: () => void socket.end(),
    reset: () => void socket.resetAndDestroy(),
  };
  let over = false;
  const end = (error: number): void => {
    if (over) return;
    over = true;
    program.ended(line, error);
  };
  socket.on('data', (bytes: Uint8Array) => program.received(line, bytes));
  socket.on('end', () => end(0));
  socket.on('error', (error) => end(errnoOf(error)));
  if (socket.connecting) socket.once('connect', () => program.opened?.(line));
}
