/** The device's xenbus state machine coming up, and what an earlier life left to it. */
import { xenbusStart } from '../../assembly/pvcalls/abi';
import { openSocket, setRingOrder } from '../../assembly/pvcalls/calls';
import { frontend } from '../../assembly/pvcalls/frontend';
import {
  DEVICE_CONNECTED,
  DEVICE_CONNECTING,
  DEVICE_DOWN,
  FAULT_VERSION,
  INIT_V7,
} from '../../assembly/wire/abi';
import { EINVAL } from '../../assembly/wire/errno';
import {
  begin,
  beginWith,
  configureStore,
  expectConnected,
  expectRefused,
  prepare,
} from './device-guest';
import { fake_frame_of, fake_grant_at, fake_port_at, fake_violations } from './fake';
import { expectDevice, expectNothing } from './guest';
import {
  addDevice,
  follow,
  offer,
  own,
  removeOwn,
  serveAll,
  serveOne,
  setOwn,
  states,
  transactions,
  watches,
  withhold,
} from './tiny-store';

afterEach(() => {
  expect(fake_violations()).toBe(0);
});

describe('the device', () => {
  it('comes up by Initialised and Connected, publishing ring-ref, port and version', () => {
    prepare(0);
    begin();
    expectConnected();
    expect(states).toBe('34');
    expect(own('ring-ref')).toBe(fake_grant_at(0).toString());
    expect(own('port')).toBe(fake_port_at(1).toString());
    expect(own('version')).toBe('1');
    expect(transactions).toBe(1);
    expect(fake_frame_of(fake_grant_at(0))).toBeGreaterThan(0);
    expect(watches()).toBe(2);
    expectDevice(DEVICE_CONNECTED, 0);
    expectNothing();
    expect(openSocket(2, 1, 0)).toBeGreaterThan(0);
  });

  it('under v7 reads the number `version` and writes none', () => {
    beginWith('max-page-order', '0', INIT_V7);
    expectConnected();
    expect(own('version')).toBe('-');
    expect(own('ring-ref')).not.toBe('-');
    const handle = openSocket(2, 1, 0);
    expect(setRingOrder(handle, 0)).toBe(0);
    expect(setRingOrder(handle, 1)).toBe(-EINVAL);
    beginWith('version', '2', INIT_V7);
    expectRefused(FAULT_VERSION);
    beginWith('version', '-', INIT_V7);
    expectRefused(FAULT_VERSION);
  });

  it('is DOWN while there is no device, and comes up when it appears', () => {
    configureStore();
    begin();
    serveAll();
    expect(frontend.state).toBe(DEVICE_DOWN);
    expectNothing();
    addDevice();
    follow(true, true);
    expectConnected();
  });

  it('tells that it is connecting before it is connected', () => {
    prepare(0);
    begin();
    while (frontend.state == DEVICE_DOWN) serveOne();
    expectDevice(DEVICE_CONNECTING, 0);
    serveAll();
    expectDevice(DEVICE_CONNECTED, 0);
    expectNothing();
  });

  it('waits for InitWait: it reads no node before, and writes none', () => {
    prepare(0);
    offer('state', '1');
    withhold('versions');
    begin();
    serveAll();
    expect(frontend.state).toBe(DEVICE_CONNECTING);
    expect(states).toBe('');
    offer('versions', '1');
    offer('state', '2');
    expectConnected();
  });

  it('comes up though InitWait was missed', () => {
    for (let state = 3; state <= 4; state++) {
      prepare(0);
      offer('state', '1');
      begin();
      serveAll();
      offer('state', state.toString());
      expectConnected();
    }
  });

  it('does nothing twice when it is started twice', () => {
    prepare(0);
    begin();
    xenbusStart();
    serveOne();
    xenbusStart();
    expectConnected();
    xenbusStart();
    expectConnected();
    expect(states).toBe('34');
    expect(transactions).toBe(1);
  });

  it('waits for Connected after Initialised, and ignores what means nothing to it', () => {
    prepare(0);
    follow(false, true);
    begin();
    serveAll();
    expect(states).toBe('3');
    offer('state', '2');
    serveAll();
    offer('state', '7');
    serveAll();
    offer('state', '3');
    serveAll();
    expect(states).toBe('3');
    offer('state', '4');
    expectConnected();
    offer('state', '8');
    expectConnected();
    offer('state', '4');
    expectConnected();
    expect(states).toBe('34');
  });
});

describe('what an earlier life left', () => {
  it('is closed off: Initialising is said, and the backend must be seen to start anew', () => {
    const leftovers = ['4', '3', '5', '6', 'x', ''];
    for (let i = 0; i < leftovers.length; i++) {
      prepare(0);
      follow(false, true);
      setOwn('state', leftovers[i]);
      offer('state', '4');
      begin();
      serveAll();
      expect(states).toBe('1');
      expect(frontend.state).toBe(DEVICE_CONNECTING);
      offer('state', '6');
      serveAll();
      expect(states).toBe('1');
      follow(true, true);
      offer('state', '2');
      expectConnected();
      expect(states).toBe('134');
    }
  });

  it('does no harm when the backend waits already', () => {
    prepare(0);
    setOwn('state', '6');
    begin();
    expectConnected();
  });

  it('may be no state at all', () => {
    prepare(0);
    removeOwn('state');
    begin();
    expectConnected();
  });
});
