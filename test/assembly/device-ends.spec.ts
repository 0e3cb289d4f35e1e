/**
 * The device going down by no wish of ours: the backend may close, vanish or start anew at any
 * moment, a fault or xenstore itself may end it. Nothing is ever left, and it can come up again.
 */
import { close, xenbusStart, xenbusStop } from '../../assembly/pvcalls/abi';
import { openSocket } from '../../assembly/pvcalls/calls';
import { frontend } from '../../assembly/pvcalls/frontend';
import { handleEvent, handleTimeout, pollTimeout } from '../../assembly/pvcalls/instance';
import {
  COUNTER_LOST,
  COUNTER_PARKED,
  DEVICE_CLOSED,
  DEVICE_CONNECTED,
  DEVICE_CONNECTING,
  DEVICE_DOWN,
  DEVICE_FAILED,
  FAULT_RSP_PROD,
  FAULT_STORE,
} from '../../assembly/wire/abi';
import { ENETDOWN } from '../../assembly/wire/errno';
import { begin, comeUp, expectConnected, expectNothingLeft, prepare, serve } from './device-guest';
import {
  fake_frame_of,
  fake_grant_at,
  fake_grants,
  fake_port_at,
  fake_set_busy,
  fake_violations,
} from './fake';
import {
  boot,
  COMMAND_TIMEOUT_MS,
  counter,
  expectDevice,
  expectNothing,
  skipEvents,
} from './guest';
import {
  BACKEND_DIRECTORY,
  follow,
  holdWatches,
  offer,
  openTransactions,
  removeOwn,
  serveAll,
  setNode,
  setOwn,
  states,
  watches,
  withhold,
} from './tiny-store';
import { lieAboutResponses } from './xenstored-end';

/** More requests than coming up takes. */
const STEPS: i32 = 24;

/** The backend starts anew: the device comes up by itself. */
function recover(): void {
  offer('state', '1');
  serveAll();
  if (frontend.state != DEVICE_CONNECTED) offer('state', '2');
  expectConnected();
}

beforeEach(() => {
  prepare(0);
});

afterEach(() => {
  expect(fake_violations()).toBe(0);
});

describe('a backend that leaves', () => {
  it('is answered by Closing and Closed, and nothing is left', () => {
    comeUp();
    offer('state', '5');
    serveAll();
    expect(states).toBe('3456');
    expectDevice(DEVICE_CLOSED, 0);
    expectNothing();
    expectNothingLeft();
    expect(openSocket(2, 1, 0)).toBe(-ENETDOWN);
    recover();
    expect(states).toBe('3456134');
  });

  it('by Closing, Closed, or without a word, at any step, leaves nothing and may come back', () => {
    const ways = ['5', '6', '0', '-'];
    for (let way = 0; way < ways.length; way++) {
      for (let step = 0; step < STEPS; step++) {
        prepare(0);
        begin();
        serve(step);
        follow(false, true);
        if (ways[way] == '-') withhold('state');
        else offer('state', ways[way]);
        serveAll();
        expect(frontend.state).not.toBe(DEVICE_CONNECTED);
        expect(openSocket(2, 1, 0)).toBe(-ENETDOWN);
        expectNothingLeft();
        follow(true, true);
        recover();
      }
    }
  });

  it('and waits at InitWait at once is seen to have started anew', () => {
    for (let state = 1; state <= 2; state++) {
      comeUp();
      offer('state', state.toString());
      serveAll();
      offer('state', '2');
      expectConnected();
      expect(states).toBe('3456134');
    }
  });

  it('and is found starting anew has let go already: that is not waited for', () => {
    comeUp();
    follow(false, true);
    offer('state', '2');
    serveAll();
    expect(states.startsWith('3456')).toBe(true);
  });

  it('while watch events are late is seen when they come', () => {
    comeUp();
    holdWatches(true);
    follow(false, true);
    offer('state', '6');
    offer('state', '1');
    offer('state', '2');
    serveAll();
    expect(frontend.state).toBe(DEVICE_CONNECTED);
    follow(true, true);
    holdWatches(false);
    serveAll();
    expect(states).toBe('3456');
    expectNothingLeft();
    recover();
    expect(states).toBe('3456134');
  });

  it('keeping grants mapped keeps them parked', () => {
    comeUp();
    const ref = fake_grant_at(0);
    fake_set_busy(ref, true);
    offer('state', '6');
    serveAll();
    expect(counter(COUNTER_PARKED)).toBe(1);
    expect(fake_grants()).toBe(1);
    fake_set_busy(ref, false);
    handleTimeout(pollTimeout());
    handleTimeout(1000);
    expectNothingLeft();
  });
});

describe('a device node that vanishes', () => {
  it('takes the device DOWN at any step; a new one brings it up', () => {
    for (let step = 0; step < STEPS; step++) {
      prepare(0);
      begin();
      serve(step);
      removeOwn('backend');
      serveAll();
      expect(frontend.state).toBe(DEVICE_DOWN);
      expectNothingLeft();
      expect(openTransactions).toBe(0);
      expect(watches()).toBe(1);
      setOwn('state', '1');
      setOwn('backend', BACKEND_DIRECTORY);
      recover();
    }
  });

  it('and comes back at another backend leads there, whose state counts, not the old one', () => {
    comeUp();
    const other = '/local/domain/9/backend/pvcalls/7/0';
    setNode(other + '/state', '1');
    setOwn('state', '1');
    holdWatches(true);
    setOwn('backend', other);
    holdWatches(false);
    holdWatches(true);
    serveAll(); // the watch of the new backend has not fired yet
    expect(frontend.fault).toBe(0);
    expect(frontend.state).toBe(DEVICE_CONNECTING);
    expectNothingLeft();
    setNode(other + '/versions', '1');
    setNode(other + '/max-page-order', '2');
    setNode(other + '/function-calls', '1');
    setNode(other + '/state', '4');
    holdWatches(false);
    expectConnected();
    expect(frontend.maxOrder).toBe(2);
    expect(watches()).toBe(2);
  });
});

describe('a fault', () => {
  it('closes the device in order, and it stays closed until it is started', () => {
    comeUp();
    const page = (<usize>fake_frame_of(fake_grant_at(0))) << 12;
    store<u32>(page, 5, 8); // rsp_prod
    handleEvent(fake_port_at(1));
    expectDevice(DEVICE_FAILED, FAULT_RSP_PROD);
    serveAll();
    expectDevice(DEVICE_CLOSED, FAULT_RSP_PROD);
    expect(states).toBe('3456');
    expectNothingLeft();
    offer('state', '2');
    serveAll();
    expect(frontend.state).toBe(DEVICE_CLOSED);
    xenbusStart();
    expectConnected();
  });
});

describe('command slots that were lost', () => {
  it('make an idle device start afresh when there are eight', () => {
    comeUp();
    for (let i = 0; i < 4; i++) {
      const handle = openSocket(2, 1, 0); // neither SOCKET nor RELEASE is ever answered
      close(handle);
      handleTimeout(COMMAND_TIMEOUT_MS * (i + 1));
      skipEvents();
      serveAll();
    }
    expect(states).toBe('3456134');
    expectConnected();
    expect(counter(COUNTER_LOST)).toBe(0);
  });

  it('do not while a socket is open', () => {
    comeUp();
    const open = openSocket(2, 1, 0);
    for (let i = 0; i < 4; i++) {
      close(openSocket(2, 1, 0));
      handleTimeout(COMMAND_TIMEOUT_MS * (i + 1));
      skipEvents();
      serveAll();
    }
    expect(states).toBe('34');
    close(open);
    handleTimeout(COMMAND_TIMEOUT_MS * 20);
    skipEvents();
    handleTimeout(COMMAND_TIMEOUT_MS * 20);
    serveAll();
    expect(states).toBe('3456134');
  });
});

describe('xenstore that breaks', () => {
  it('fails the device at any step, and nothing is left', () => {
    for (let step = 0; step < STEPS; step++) {
      prepare(0);
      begin();
      serve(step);
      lieAboutResponses(5000);
      handleEvent(fake_port_at(0));
      expect(frontend.state).toBe(DEVICE_FAILED);
      expect(frontend.fault).toBe(FAULT_STORE);
      expectNothingLeft();
      xenbusStop();
      xenbusStart();
      handleTimeout(100000);
      expectNothingLeft();
    }
  });

  it('is told once, and again to whoever starts the device after that', () => {
    comeUp();
    skipEvents();
    lieAboutResponses(5000);
    handleEvent(fake_port_at(0));
    expectDevice(DEVICE_FAILED, FAULT_STORE);
    expectNothing();
    xenbusStart();
    expectDevice(DEVICE_FAILED, FAULT_STORE);
    expectNothing();
  });

  it('before the device is started is told too', () => {
    prepare(0);
    boot();
    lieAboutResponses(5000);
    handleEvent(fake_port_at(0));
    expectDevice(DEVICE_FAILED, FAULT_STORE);
    expectNothing();
    xenbusStart();
    expectDevice(DEVICE_FAILED, FAULT_STORE);
    expectNothing();
  });
});
