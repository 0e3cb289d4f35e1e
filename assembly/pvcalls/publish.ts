/**
 * Publishing what we offer, in one transaction: ring-ref, port, under the shipped dialect version,
 * and the state Initialised. Spec: pvcalls, "Frontend XenBus Nodes".
 *
 * A transaction that ran into another writer ends with EAGAIN and is done again from the start.
 */
import {
  parseDecimal,
  NOT_A_NUMBER,
  PORT_HI,
  PORT_LO,
  RING_REF_HI,
  RING_REF_LO,
  VERSION_HI,
  VERSION_LO,
} from '../guest/text';
import { transactionEnd, transactionStart, writeOwn, writeState } from '../guest/xenbus';
import { messageIsError, messagePayload, messageSize, messageType } from '../guest/xenstore';
import { EIO } from '../wire/errno';
import { XENBUS_STATE_INITIALISED } from '../wire/xenbus';
import { XS_ERROR } from '../wire/xenstore';
import { frontend, offeredRef, v7 } from './frontend';
import { device } from './phases';

const PART_START: u32 = 0; // every phase begins with part 0
const PART_REF: u32 = 1;
const PART_PORT: u32 = 2;
const PART_VERSION: u32 = 3;
const PART_STATE: u32 = 4;
const PART_END: u32 = 5;
const PART_UNDO: u32 = 6;

/** "EAGA", the first four bytes of EAGAIN. */
const TEXT_EAGAIN: u32 = 0x41474145;

/** The next request of the transaction: req_id or a negative errno. */
export function publishAsk(): i32 {
  const id = device.transaction;
  switch (device.part) {
    case PART_START:
      return transactionStart();
    case PART_REF:
      return writeOwn(id, RING_REF_LO, RING_REF_HI, offeredRef());
    case PART_PORT:
      return writeOwn(id, PORT_LO, PORT_HI, frontend.port);
    case PART_VERSION:
      return writeOwn(id, VERSION_LO, VERSION_HI, 1);
    case PART_STATE:
      return writeState(id, XENBUS_STATE_INITIALISED);
  }
  return transactionEnd(id, device.part == PART_END);
}

/** Takes the answer. Result: 1 when published, 0 to go on, -EIO when xenstored refuses. */
export function publishTake(): i32 {
  const failed = messageType() == XS_ERROR;
  const part = device.part;
  device.part = part + 1;
  if (part == PART_START) {
    // The id ends with a NUL, as every string that xenstored makes up itself.
    const end = messageSize() - 1;
    const ends = load<u8>(messagePayload() + end) == 0;
    const id = ends ? parseDecimal(messagePayload(), end) : NOT_A_NUMBER;
    if (failed || id == NOT_A_NUMBER || id == 0) return -EIO;
    device.transaction = id;
  } else if (part == PART_END) {
    if (!failed) return 1;
    if (!messageIsError(TEXT_EAGAIN)) return -EIO;
    device.part = PART_START;
  } else if (part == PART_UNDO) {
    return -EIO;
  } else if (failed) {
    device.part = PART_UNDO;
  } else if (part == PART_PORT && v7()) {
    device.part = PART_STATE;
  }
  return 0;
}
