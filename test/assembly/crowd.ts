/** Many sockets that want the same at once, for specs of caps and deadlines. */
import { acceptSocket, connectSocket, setRingOrder } from '../../assembly/pvcalls/calls';
import { EAGAIN } from '../../assembly/wire/errno';
import { sockaddr } from './guest';
import { hasRequest, openFresh, openListening, take } from './scripted-backend';

/** The sockets that were opened last. */
export let handles: i32[] = [];

/** Takes requests of this command until there are none. Result: how many. */
export function takeAll(command: u32): i32 {
  let count = 0;
  for (; hasRequest(); count++) take(command);
  return count;
}

export function openMany(count: i32, listening: bool): void {
  handles = [];
  for (let i = 0; i < count; i++) {
    handles.push(listening ? openListening() : openFresh());
    setRingOrder(handles[i], 1);
  }
}

/** Has this many listeners ask for a connection. */
export function acceptMany(count: i32): void {
  openMany(count, true);
  for (let i = 0; i < count; i++) expect(acceptSocket(handles[i])).toBe(-EAGAIN);
}

export function connectMany(count: i32): void {
  openMany(count, false);
  for (let i = 0; i < count; i++) connectSocket(handles[i], sockaddr(80), 16);
}
