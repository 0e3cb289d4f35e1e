/**
 * What a run is made of: operations with three numbers each. An operation picks what it is about
 * by its numbers, whatever the world has become, so any subset of a trace is a trace: that is what
 * shrinking and the corpus live on.
 */
export const OPS = [
  // The embedder's calls.
  'socket',
  'connect',
  'bind',
  'listen',
  'accept',
  'poll',
  'close',
  'abort',
  'send',
  'recv',
  'order',
  'upcall',
  'event',
  'time',
  'events',
  'start',
  'stop',
  'ask',
  'refuse',
  // What a backend, xenstored and Xen rightly do.
  'answer',
  'produce',
  'consume',
  'end',
  'notify',
  'unmap',
  'die',
  'store',
  'follow',
  // Mutations: one write each of something that the peer can write.
  'ring-word',
  'ring-slot',
  'ring-answer',
  'index-word',
  'index-any',
  'data-byte',
  'store-word',
  'store-byte',
  'store-message',
  'store-node',
  'info-bit',
] as const;

export type OpName = (typeof OPS)[number];
export type Action = (a: number, b: number, c: number) => void;
export type Actions = Record<OpName, Action>;
export type Op = readonly [name: OpName, a: number, b: number, c: number];

const MUTATIONS = OPS.indexOf('ring-word');

export const isMutation = (op: number): boolean => op >= MUTATIONS;

/** What a run starts from. */
export interface Setup {
  readonly frames: number;
  readonly sockets: number;
  readonly v7: boolean;
  readonly x86: boolean;
  readonly reuse: boolean;
  /** Events by shared_info; else by handle_event. */
  readonly upcalls: boolean;
  /** The device through xenstore; else offered by the embedder. */
  readonly xenbus: boolean;
  readonly ringOrder: number;
  readonly commandTimeoutMs: number;
  readonly closeTimeoutMs: number;
  readonly firstIndex: number;
}

/** A run as the corpus keeps it. */
export interface Trace {
  /** What it showed. */
  readonly what: string;
  readonly setup: Setup;
  readonly ops: readonly Op[];
}
