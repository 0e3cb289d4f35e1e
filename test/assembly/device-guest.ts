/** A guest whose device comes through xenstore: what the specs of the device share. */
import { evtchn_alloc_unbound } from '../../assembly/hypercalls';
import { xenbusStart } from '../../assembly/pvcalls/abi';
import { frontend } from '../../assembly/pvcalls/frontend';
import {
  DEVICE_CLOSED,
  DEVICE_CONNECTED,
  INIT_FLAGS,
  INIT_STORE_PAGE,
  INIT_STORE_PORT,
  INIT_V7,
} from '../../assembly/wire/abi';
import { fake_grants, fake_ports } from './fake';
import { boot, configure, expectFramesBack, option, skipEvents } from './guest';
import {
  addDevice,
  follow,
  offer,
  own,
  serveAll,
  serveOne,
  storeStart,
  withhold,
} from './tiny-store';
import { STORE_PAGE } from './xenstored-end';

/** A configuration with xenstore, and an empty store. */
export function configureStore(): void {
  configure();
  const port = evtchn_alloc_unbound(0);
  option(INIT_STORE_PAGE, <u32>STORE_PAGE);
  option(INIT_STORE_PORT, port);
  storeStart(port);
}

/** A device whose backend waits at InitWait and follows. */
export function prepare(flags: u32): void {
  configureStore();
  option(INIT_FLAGS, flags);
  addDevice();
  follow(true, true);
}

/** Starts instance and device; nothing is served yet. */
export function begin(): void {
  boot();
  xenbusStart();
}

/** Connected, from nothing. */
export function comeUp(): void {
  prepare(0);
  begin();
  expectConnected();
  skipEvents();
}

/** Comes up with this node of the backend; '-' for none. */
export function beginWith(name: string, value: string, flags: u32): void {
  prepare(flags);
  if (flags & INIT_V7) offer('version', '1');
  if (value == '-') withhold(name);
  else offer(name, value);
  begin();
  serveAll();
}

/** Serves this many requests, or as many as there are. */
export function serve(count: i32): void {
  for (let i = 0; i < count; i++) serveOne();
}

/** No grant, no port but the store's, no frame is left of the device. */
export function expectNothingLeft(): void {
  expect(fake_grants()).toBe(0);
  expect(fake_ports()).toBe(1);
  expectFramesBack();
}

/** Closed over this fault: Closed is what the store says, and nothing is left. */
export function expectRefused(fault: u32): void {
  serveAll();
  expect(frontend.state).toBe(DEVICE_CLOSED);
  expect(frontend.fault).toBe(fault);
  expect(own('state')).toBe('6');
  expectNothingLeft();
  skipEvents();
}

export function expectConnected(): void {
  serveAll();
  expect(frontend.state).toBe(DEVICE_CONNECTED);
  expect(own('state')).toBe('4');
  expect(fake_grants()).toBe(1);
  expect(fake_ports()).toBe(2);
}
