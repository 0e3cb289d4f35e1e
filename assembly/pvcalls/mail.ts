/**
 * Mail from xenstored: the device's own answers and watches are dealt with here, everything else is
 * the embedder's and is held, one message at a time, until poll_event has handed it over.
 */
import {
  messageId,
  messagePayload,
  messageSize,
  messageType,
  STORE_BROKEN,
  STORE_MESSAGE,
  storeFlush,
  storeTake,
} from '../guest/xenstore';
import { XS_WATCH_EVENT } from '../wire/xenstore';
import { deviceAdvance, deviceLostStore, deviceReply, deviceWatch } from './device';

/** A message for the embedder stands in the store's buffer. */
let held: bool = false;

export function mailInit(): void {
  held = false;
}

/** Takes messages until there are none, or one is the embedder's. */
export function handleMail(): void {
  storeFlush();
  while (!held) {
    const found = storeTake();
    if (found == STORE_BROKEN) deviceLostStore();
    if (found != STORE_MESSAGE) break;
    held = !ours();
  }
  deviceAdvance();
}

/** Hands the held message over: it stands until the next handleMail. */
export function takeMail(): bool {
  const found = held;
  held = false;
  return found;
}

function ours(): bool {
  if (messageType() != XS_WATCH_EVENT) return deviceReply(messageId());
  const end = messagePayload() + messageSize();
  // The token is the last string; ours are one character.
  if (messageSize() < 3 || load<u8>(end - 3) != 0) return false;
  return deviceWatch(<u32>load<u8>(end - 2));
}
