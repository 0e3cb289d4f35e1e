/**
 * A backend that does only what a spec tells it: it takes requests from the command ring, answers
 * them in any order, and plays the other end of data rings. It reaches memory as a backend does,
 * through the grant references it was given. Offsets are the spec's, written out once more.
 */
import { attachConnected, attachOffer, attachPort } from '../../assembly/pvcalls/abi';
import {
  bindSocket,
  connectSocket,
  listenSocket,
  openSocket,
  setRingOrder,
} from '../../assembly/pvcalls/calls';
import { handleEvent } from '../../assembly/pvcalls/instance';
import { fake_frame_of } from './fake';
import { nextEvent, skipEvents, sockaddr } from './guest';

export const BACKEND: u32 = 3;

const REQUESTS: usize = 0x15000; // copies of requests, 64 of them in turn

export const SOCKET: u32 = 0;
export const CONNECT: u32 = 1;
export const RELEASE: u32 = 2;
export const BIND: u32 = 3;
export const LISTEN: u32 = 4;
export const ACCEPT: u32 = 5;
export const POLL: u32 = 6;

let page: usize = 0;
let reqCons: u32 = 0;
let rspProd: u32 = 0;

export function pageOf(ref: u32): usize {
  return (<usize>fake_frame_of(ref)) << 12;
}

/** Takes the command ring that the guest offers, as a backend with these abilities. */
export function attach(maxOrder: u32, features: u32): void {
  takeRing(<u32>attachOffer(BACKEND));
  attachConnected(maxOrder, features);
  skipEvents();
}

/** Takes the command ring behind this reference. */
export function takeRing(ref: u32): void {
  page = pageOf(ref);
  reqCons = 0;
  rspProd = 0;
}

/** Whether the guest has published a request that was not taken yet. */
export function hasRequest(): bool {
  return load<u32>(page) != reqCons;
}

/** Takes the next request, which must be this command. Result: a copy of it, 64 bytes. */
export function take(command: u32): usize {
  expect(hasRequest()).toBe(true);
  const copy = REQUESTS + (reqCons % 64) * 64;
  memory.copy(copy, page + 64 + (reqCons % 32) * 64, 64);
  reqCons += 1;
  store<u32>(page, reqCons + 1, 4); // req_event
  expect(cmdOf(copy)).toBe(command);
  return copy;
}

export function reqIdOf(request: usize): u32 {
  return load<u32>(request);
}

export function cmdOf(request: usize): u32 {
  return load<u32>(request, 4);
}

export function idOf(request: usize): u32 {
  return load<u32>(request, 8);
}

/** Writes a response, whatever it says, and publishes it. */
export function respond(reqId: u32, cmd: u32, ret: i32, id: u64): void {
  const slot = page + 64 + (rspProd % 32) * 64;
  memory.fill(slot, 0xa5, 24);
  store<u32>(slot, reqId);
  store<u32>(slot, cmd, 4);
  store<i32>(slot, ret, 8);
  store<u64>(slot, id, 16);
  rspProd += 1;
  publish(rspProd);
}

export function publish(prod: u32): void {
  store<u32>(page, prod, 8);
}

/** Responses published so far. */
export function published(): u32 {
  return rspProd;
}

export function rspEvent(): u32 {
  return load<u32>(page, 12);
}

/** Answers a request without telling the guest. */
export function answer(request: usize, ret: i32): void {
  respond(reqIdOf(request), cmdOf(request), ret, load<u64>(request, 8));
}

/** The event of the command ring. */
export function kick(): void {
  handleEvent(attachPort());
}

/** Answers a request and tells the guest. */
export function reply(request: usize, ret: i32): void {
  answer(request, ret);
  kick();
}

/** Takes the next request, which must be this command, and answers it. */
export function serve(command: u32, ret: i32): void {
  reply(take(command), ret);
}

/** A socket whose SOCKET is answered. */
export function openFresh(): i32 {
  const handle = openSocket(2, 1, 0);
  expect(handle).toBeGreaterThan(0);
  serve(SOCKET, 0);
  return handle;
}

/** Page and port of the data ring that the last openConnected() was given. */
export let dataPage: usize = 0;
export let dataPort: u32 = 0;
/** CONNECT's ref and evtchn, ACCEPT's likewise. */
export function learnRing(request: usize): void {
  const at: usize = cmdOf(request) == CONNECT ? 52 : 24;
  dataPage = pageOf(load<u32>(request + at));
  dataPort = load<u32>(request + at, 4);
}

/** A connected socket with a ring of this order. */
export function openConnected(order: u32): i32 {
  const handle = openFresh();
  expect(setRingOrder(handle, order)).toBe(0);
  connectSocket(handle, sockaddr(80), 16);
  const request = take(CONNECT);
  learnRing(request);
  reply(request, 0);
  skipEvents();
  return handle;
}

/** A socket that listens. */
export function openListening(): i32 {
  const handle = openFresh();
  bindSocket(handle, sockaddr(8080), 16);
  serve(BIND, 0);
  listenSocket(handle, 5);
  serve(LISTEN, 0);
  skipEvents();
  expect(nextEvent()).toBe(0);
  return handle;
}

/** Bytes per direction of the ring behind an indexes page. */
export function sizeOf(indexes: usize): u32 {
  return 2048 << load<u32>(indexes, 128);
}

/** Where byte `index` of `in` or `out` stands, by the references of the indexes page. */
function byteAt(indexes: usize, out: bool, index: u32): usize {
  const size = sizeOf(indexes);
  const offset = (index % size) + (out ? size : 0);
  return pageOf(load<u32>(indexes + 132 + (offset >> 12) * 4)) + (offset & 4095);
}

/** Byte `i` of a stream of this seed. */
export function streamByte(seed: u32, i: u32): u8 {
  return <u8>((seed + i) * 31 + ((seed + i) >> 8));
}

/** The backend puts bytes of a stream into `in` and publishes them. */
export function produce(indexes: usize, seed: u32, size: u32): void {
  const prod = load<u32>(indexes, 4);
  for (let i: u32 = 0; i < size; i++) {
    store<u8>(byteAt(indexes, false, prod + i), streamByte(seed, i));
  }
  store<u32>(indexes, prod + size, 4);
}

/** The backend takes bytes of `out`, which must be those of the stream. */
export function consume(indexes: usize, seed: u32, size: u32): void {
  const cons = load<u32>(indexes, 64);
  expect(load<u32>(indexes, 68) - cons).toBeGreaterThan(size - 1);
  for (let i: u32 = 0; i < size; i++) {
    const byte = load<u8>(byteAt(indexes, true, cons + i));
    if (byte != streamByte(seed, i)) expect(byte).toBe(streamByte(seed, i));
  }
  store<u32>(indexes, cons + size, 64);
}

/** in_error and out_error. */
export function setErrors(indexes: usize, inError: i32, outError: i32): void {
  store<i32>(indexes, inError, 8);
  store<i32>(indexes, outError, 72);
}
