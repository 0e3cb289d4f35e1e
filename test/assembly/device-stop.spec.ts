/** The device stopped by the embedder, at any step of coming up, and started again. */
import { xenbusStart, xenbusStop } from '../../assembly/pvcalls/abi';
import { frontend } from '../../assembly/pvcalls/frontend';
import { handleTimeout, pollTimeout } from '../../assembly/pvcalls/instance';
import { DEVICE_CLOSED, DEVICE_CLOSING, TIMEOUT_NONE } from '../../assembly/wire/abi';
import {
  begin,
  comeUp,
  configureStore,
  expectConnected,
  expectNothingLeft,
  prepare,
  serve,
} from './device-guest';
import { fake_grants, fake_violations } from './fake';
import { CLOSE_TIMEOUT_MS, expectDevice, expectNothing } from './guest';
import { addDevice, follow, offer, serveAll, serveOne, setOwn, states } from './tiny-store';

/** More requests than coming up takes. */
const STEPS: i32 = 24;

/** Initialised before Connected, Closing before Closed wherever a ring had been published. */
function expectStatesInOrder(): void {
  const good = ['', '6', '3456', '356'];
  let found = false;
  for (let i = 0; i < good.length; i++) if (states == good[i]) found = true;
  if (!found) expect(states).toBe('one of the orders that are right');
}

beforeEach(() => {
  prepare(0);
});

afterEach(() => {
  expect(fake_violations()).toBe(0);
});

describe('stop', () => {
  it('goes by Closing and Closed, and does not come up by itself', () => {
    comeUp();
    xenbusStop();
    expectDevice(DEVICE_CLOSING, 0);
    serveAll();
    expectDevice(DEVICE_CLOSED, 0);
    expectNothing();
    expect(states).toBe('3456');
    expectNothingLeft();
    offer('state', '2');
    serveAll();
    expect(frontend.state).toBe(DEVICE_CLOSED);
    xenbusStart();
    serveAll();
    expectConnected();
  });

  it('at any step leaves nothing, and Closed if anything was said, and can be undone', () => {
    for (let step = 0; step < STEPS; step++) {
      prepare(0);
      begin();
      serve(step);
      xenbusStop();
      serveAll();
      expect(frontend.state).toBe(DEVICE_CLOSED);
      expectNothingLeft();
      if (states != '') expect(states.charAt(states.length - 1)).toBe('6');
      expectStatesInOrder();
      xenbusStart();
      expectConnected();
    }
  });

  it('at any step of a start after an earlier life, likewise', () => {
    for (let step = 0; step < STEPS; step++) {
      prepare(0);
      setOwn('state', '4');
      begin();
      serve(step);
      xenbusStop();
      serveAll();
      expect(frontend.state).toBe(DEVICE_CLOSED);
      expectNothingLeft();
      if (states != '') expect(states.charAt(states.length - 1)).toBe('6');
      xenbusStart();
      expectConnected();
    }
  });

  it('is taken back by a start, at any step of going down', () => {
    for (let step = 0; step < 8; step++) {
      comeUp();
      xenbusStop();
      serve(step);
      xenbusStart();
      expectConnected();
      expect(states).toBe('3456134');
    }
  });

  it('waits for a backend that does not let go, but not for ever', () => {
    comeUp();
    follow(true, false);
    xenbusStop();
    serveAll();
    expect(states).toBe('345');
    expect(fake_grants()).toBe(1);
    expect(pollTimeout()).toBe(CLOSE_TIMEOUT_MS);
    handleTimeout(CLOSE_TIMEOUT_MS - 1);
    serveAll();
    expect(states).toBe('345');
    handleTimeout(CLOSE_TIMEOUT_MS);
    serveAll();
    expect(states).toBe('3456');
    expectNothingLeft();
    expect(pollTimeout()).toBe(TIMEOUT_NONE);
  });

  it('says Closed before it looks at further news', () => {
    comeUp();
    follow(false, true);
    xenbusStop();
    serveOne(); // Closing is said
    offer('state', '5');
    offer('state', '6');
    while (frontend.state != DEVICE_CLOSED && serveOne()) continue;
    serveOne();
    expect(states).toBe('3456');
  });

  it('of a backend that never let go is followed by a start that waits until it has', () => {
    comeUp();
    follow(true, false);
    xenbusStop();
    serveAll();
    handleTimeout(CLOSE_TIMEOUT_MS);
    serveAll();
    follow(false, true);
    xenbusStart();
    serveAll();
    expect(states).toBe('34561');
    expectNothingLeft();
    follow(true, true);
    offer('state', '2');
    expectConnected();
  });

  it('without a device, or before anything was asked, is closed at once', () => {
    configureStore();
    begin();
    serveAll();
    xenbusStop();
    expect(frontend.state).toBe(DEVICE_CLOSED);
    addDevice();
    follow(true, true);
    serveAll();
    expect(frontend.state).toBe(DEVICE_CLOSED);
    expect(states).toBe('');
    xenbusStart();
    expectConnected();
  });
});
