/**
 * From responses to sockets. A response is copied out once and held against the request it claims
 * to answer before anything is done: req_id, cmd, id and the range of ret. Answers come in any
 * order. Spec: pvcalls, "Commands Ring".
 */
import { loadIndex } from '../ring/order';
import { ringTake, RESPONSE_OVERFLOW } from '../ring/shared-ring';
import {
  COUNTER_LATE,
  COUNTER_RESPONSES,
  DEVICE_CONNECTED,
  FAULT_CMD,
  FAULT_ID,
  FAULT_REQ_ID,
  FAULT_RET,
  FAULT_RSP_PROD,
} from '../wire/abi';
import { EAGAIN, EINTR, ERRNO_MAX } from '../wire/errno';
import {
  PVCALLS_ACCEPT,
  PVCALLS_BIND,
  PVCALLS_CONNECT,
  PVCALLS_LISTEN,
  PVCALLS_POLL,
  PVCALLS_RELEASE,
  PVCALLS_SOCKET,
  RESPONSE_SIZE,
} from '../wire/pvcalls';
import { RSP_PROD } from '../wire/ring';
import { responseCommand, responseId, responseReqId, responseRet } from './commands';
import { commands, count, fail, frontend } from './frontend';
import { complete, ready } from './ready';
import { released, releaseSocket, startTimer } from './release';
import { giveRequest, NO_OWNER, requestOf } from './requests';
import { dropRing } from './rings';
import { want } from './submit';
import {
  bit,
  enlist,
  giveSocket,
  LIST_CONNECT,
  LIST_CONTROL,
  LIST_PASSIVE,
  OP_NONE,
  partnerOf,
  READY_DATA,
  Socket,
  socketAt,
  STATE_BINDING,
  STATE_BOUND,
  STATE_CONNECTED,
  STATE_CONNECTING,
  STATE_FRESH,
  STATE_LISTENING,
  STATE_RELEASING,
} from './sockets';

/** Takes all responses; the ring asks to be woken for the next one when it returns. */
export function handleResponses(): void {
  while (frontend.state == DEVICE_CONNECTED) {
    const got = ringTake(commands, frontend.scratch, RESPONSE_SIZE);
    if (got == RESPONSE_OVERFLOW) {
      return fail(FAULT_RSP_PROD, loadIndex(commands.page + RSP_PROD)); // as it stands now
    }
    if (got == 0) break;
    handleResponse(frontend.scratch);
  }
}

function handleResponse(at: usize): void {
  const request = requestOf(responseReqId(at));
  if (request === null) return fail(FAULT_REQ_ID, responseReqId(at));
  const command = <u32>request.command;
  const ret = responseRet(at);
  if (responseCommand(at) != command) return fail(FAULT_CMD, responseCommand(at));
  if (responseId(at) != <u64>request.id) return fail(FAULT_ID, <u32>responseId(at));
  if (<u32>-ret > ERRNO_MAX) return fail(FAULT_RET, ret);
  const owner = request.owner;
  giveRequest(request);
  count(COUNTER_RESPONSES);
  if (owner == NO_OWNER) {
    count(COUNTER_LATE);
    return;
  }
  const socket = socketAt(owner);
  socket.inFlight &= ~(<u8>bit(command));
  if (command == PVCALLS_RELEASE) released(socket, ret);
  else if (command == PVCALLS_ACCEPT) accepted(socket, ret);
  else if (socket.state == STATE_RELEASING || socket.error != 0) count(COUNTER_LATE);
  else settle(socket, command, ret);
}

function settle(socket: Socket, command: u32, ret: i32): void {
  switch (command) {
    case PVCALLS_SOCKET:
      return created(socket, ret);
    case PVCALLS_CONNECT:
      if (ret != 0) dropRing(socket);
      socket.state = <u8>(ret == 0 ? STATE_CONNECTED : STATE_FRESH);
      return complete(socket, command, ret);
    case PVCALLS_BIND:
      socket.state = <u8>(ret == 0 ? STATE_BOUND : STATE_FRESH);
      return complete(socket, command, ret);
    case PVCALLS_LISTEN:
      if (ret == 0) socket.state = <u8>STATE_LISTENING;
      return complete(socket, command, ret);
    case PVCALLS_POLL:
      return polled(socket, ret);
  }
}

/** SOCKET is answered: on to what was asked of it meanwhile. */
function created(socket: Socket, ret: i32): void {
  if (ret < 0) {
    socket.error = ret;
    complete(socket, socket.op == OP_NONE ? PVCALLS_SOCKET : <u32>socket.op, ret);
    return;
  }
  socket.connectable = true;
  if (socket.state == STATE_CONNECTING) want(socket, LIST_CONNECT);
  else if (socket.state == STATE_BINDING) want(socket, LIST_CONTROL);
}

function polled(socket: Socket, ret: i32): void {
  if (again(socket, PVCALLS_POLL, ret)) return;
  if (socket.passiveWant == PVCALLS_ACCEPT) return enlist(socket, LIST_PASSIVE);
  if (ret < 0) socket.acceptError = ret;
  else socket.pollReady = true;
  ready(socket, READY_DATA);
}

/** ACCEPT is answered: the reserved entry becomes a socket, or is given back. */
function accepted(listener: Socket, ret: i32): void {
  const fresh = partnerOf(listener);
  const closing = listener.state == STATE_RELEASING || listener.error != 0;
  listener.pollReady = false;
  if (ret == 0) {
    fresh.state = <u8>STATE_CONNECTED;
    fresh.connectable = true;
    if (closing) {
      listener.partner = 0;
      releaseSocket(fresh, true);
    } else ready(listener, READY_DATA);
    return;
  }
  listener.partner = 0;
  dropRing(fresh);
  giveSocket(fresh);
  if (closing || again(listener, PVCALLS_POLL, ret)) return;
  listener.acceptError = ret;
  ready(listener, READY_DATA);
}

/** EINTR and EAGAIN of Linux's backend: asked again a little later, by POLL. */
function again(socket: Socket, command: u32, ret: i32): bool {
  if (ret != -EINTR && ret != -EAGAIN) return false;
  if (socket.passiveWant == OP_NONE) socket.passiveWant = <u8>command;
  startTimer(socket);
  return true;
}
