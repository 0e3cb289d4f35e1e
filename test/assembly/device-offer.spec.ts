/** What the device takes of a backend's offer, what it refuses, and how it publishes its own. */
import { xenbusStart } from '../../assembly/pvcalls/abi';
import { openSocket, setRingOrder } from '../../assembly/pvcalls/calls';
import { frontend } from '../../assembly/pvcalls/frontend';
import {
  FAULT_BACKEND_NODE,
  FAULT_FUNCTION_CALLS,
  FAULT_MAX_PAGE_ORDER,
  FAULT_OFFER,
  FAULT_STORE_ERROR,
  FAULT_VERSION,
} from '../../assembly/wire/abi';
import { EINVAL, ENOBUFS } from '../../assembly/wire/errno';
import {
  begin,
  beginWith,
  expectConnected,
  expectNothingLeft,
  expectRefused,
  prepare,
} from './device-guest';
import { fake_fail_after, fake_violations } from './fake';
import {
  answerTransactionsWith,
  BACKEND_DIRECTORY,
  forbid,
  offer,
  openTransactions,
  own,
  removeOwn,
  serveAll,
  setConflicts,
  setOwn,
  states,
  transactions,
} from './tiny-store';

afterEach(() => {
  expect(fake_violations()).toBe(0);
});

describe('the offer of the backend', () => {
  it('must have 1 among its versions', () => {
    const good = ['1', '1,2', '2,1', '3,1,2', ',1'];
    for (let i = 0; i < good.length; i++) {
      beginWith('versions', good[i], 0);
      expectConnected();
    }
    const bad = ['2', '-', '', '11', ' 1', '1 ', '1;2', 'one', ',', '2,3', '10,11'];
    for (let i = 0; i < bad.length; i++) {
      beginWith('versions', bad[i], 0);
      expectRefused(FAULT_VERSION);
    }
  });

  it('must have a max-page-order of 1 at least; more than 9 is 9', () => {
    const good = ['1', '4', '9', '10', '999999999'];
    const orders: u32[] = [1, 4, 9, 9, 9];
    for (let i = 0; i < good.length; i++) {
      beginWith('max-page-order', good[i], 0);
      expectConnected();
      expect(frontend.maxOrder).toBe(orders[i]);
      const handle = openSocket(2, 1, 0);
      expect(setRingOrder(handle, orders[i])).toBe(0);
      expect(setRingOrder(handle, orders[i] + 1)).toBe(-EINVAL);
    }
    const bad = ['0', '-', 'abc', '', '-1', '4294967296', '4 '];
    for (let i = 0; i < bad.length; i++) {
      beginWith('max-page-order', bad[i], 0);
      expectRefused(FAULT_MAX_PAGE_ORDER);
    }
  });

  it('must have function-calls 1', () => {
    const bad = ['0', '-', '2', '', 'yes'];
    for (let i = 0; i < bad.length; i++) {
      beginWith('function-calls', bad[i], 0);
      expectRefused(FAULT_FUNCTION_CALLS);
    }
  });

  it('may have feature-reset', () => {
    beginWith('feature-reset', '1', 0);
    expectConnected();
    expect(frontend.features).toBe(1);
    const none = ['0', '-', 'x'];
    for (let i = 0; i < none.length; i++) {
      beginWith('feature-reset', none[i], 0);
      expectConnected();
      expect(frontend.features).toBe(0);
    }
  });

  it('that was refused is read again when the device is started again', () => {
    beginWith('versions', '2', 0);
    expectRefused(FAULT_VERSION);
    serveAll();
    offer('versions', '1');
    xenbusStart();
    expectConnected();
  });
});

describe('our own nodes', () => {
  it('must name a backend directory', () => {
    const bad = ['', 'backend', 'x' + BACKEND_DIRECTORY, '/' + 'a'.repeat(256)];
    for (let i = 0; i < bad.length; i++) {
      prepare(0);
      setOwn('backend', bad[i]);
      begin();
      expectRefused(FAULT_BACKEND_NODE);
    }
  });

  it('must name a backend domain', () => {
    const bad = ['', 'abc', '-1', '-'];
    for (let i = 0; i < bad.length; i++) {
      prepare(0);
      setOwn('backend-id', bad[i]);
      if (bad[i] == '-') removeOwn('backend-id');
      begin();
      expectRefused(FAULT_BACKEND_NODE);
    }
  });

  it('that were wrong are read again when the device is started again', () => {
    prepare(0);
    setOwn('backend', 'nowhere');
    begin();
    expectRefused(FAULT_BACKEND_NODE);
    setOwn('backend', BACKEND_DIRECTORY);
    serveAll();
    xenbusStart();
    expectConnected();
  });
});

describe('publishing', () => {
  it('is done again from the start when the transaction ran into another writer', () => {
    prepare(0);
    setConflicts(3);
    begin();
    expectConnected();
    expect(transactions).toBe(4);
    expect(states).toBe('34');
  });

  it('that is refused ends the transaction without effect, and the device', () => {
    const names = ['ring-ref', 'port', 'version'];
    for (let i = 0; i < names.length; i++) {
      prepare(0);
      forbid(names[i]);
      begin();
      expectRefused(FAULT_STORE_ERROR);
      expect(openTransactions).toBe(0);
      expect(own('ring-ref')).toBe('-');
      expect(states).toBe('6');
    }
  });

  it('needs a transaction id: a number, not 0, that ends with a NUL', () => {
    const bad = ['', '|', '0|', 'x|', '12', '1|2|'];
    for (let i = 0; i < bad.length; i++) {
      prepare(0);
      answerTransactionsWith(bad[i]);
      begin();
      expectRefused(FAULT_STORE_ERROR);
    }
  });

  it('needs a page, a grant and a port', () => {
    for (let allowed = 0; allowed < 2; allowed++) {
      prepare(0);
      begin();
      fake_fail_after(allowed);
      expectRefused(FAULT_OFFER);
      expect(frontend.faultValue).toBe(<u32>-ENOBUFS);
      fake_fail_after(-1);
      xenbusStart();
      expectConnected();
    }
  });

  it('is not begun when our state cannot be written', () => {
    prepare(0);
    setOwn('state', '4');
    forbid('state');
    begin();
    serveAll();
    expect(frontend.fault).toBe(FAULT_STORE_ERROR);
    expectNothingLeft();
  });
});
