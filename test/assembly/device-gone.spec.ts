/** A device whose nodes go while it is being brought up, and come again. */
import { DEVICE_CLOSED, DEVICE_DOWN, FAULT_VERSION } from '../../assembly/wire/abi';
import { frontend } from '../../assembly/pvcalls/frontend';
import {
  begin,
  configureStore,
  expectConnected,
  expectNothingLeft,
  expectRefused,
} from './device-guest';
import { fake_violations } from './fake';
import { addDevice, follow, offer, removeOwn, serveAll, serveOne, withhold } from './tiny-store';

/** More than the questions from nothing to Connected. */
const STEPS: i32 = 32;

/** Both directories go at once; nobody plays the backend any more. */
function removeDevice(): void {
  follow(false, false);
  withhold('state');
  withhold('versions');
  withhold('max-page-order');
  withhold('function-calls');
  removeOwn('backend-id');
  removeOwn('state');
  removeOwn('backend');
}

function beginAnd(steps: i32): void {
  configureStore();
  addDevice();
  follow(true, true);
  begin();
  for (let step = 0; step < steps; step++) serveOne();
}

afterEach(() => {
  expect(fake_violations()).toBe(0);
});

describe('a device that is removed while it comes up', () => {
  it('is down without a fault of the backend, and comes up when it is made again', () => {
    for (let steps = 1; steps < STEPS; steps++) {
      beginAnd(steps);
      removeDevice();
      serveAll();
      expect(frontend.state == DEVICE_DOWN || frontend.state == DEVICE_CLOSED).toBe(true);
      expect(frontend.fault).toBe(0);
      expectNothingLeft();
      follow(true, true);
      addDevice();
      expectConnected();
    }
  });

  it('is refused for good when nothing but its offer is wrong', () => {
    beginAnd(5);
    offer('versions', '2');
    expectRefused(FAULT_VERSION);
  });
});
