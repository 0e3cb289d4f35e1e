import { describe, expect, it } from 'vitest';

import { attachPvcalls, detachPvcalls, SeededScheduler } from '../../../host/machine/index.js';
import { codeOf, guestOn, machineFor } from './support.js';

const FRONTEND = '/local/domain/1/device/pvcalls/0';
const BACKEND = '/local/domain/0/backend/pvcalls/1/0';

function attached(options = {}) {
  const machine = machineFor(options);
  const guest = guestOn(machine);
  const device = { frontend: guest.domid, backend: 0 };
  const paths = attachPvcalls(machine, device);
  return { machine, guest, device, paths, root: machine.store.connect(0) };
}

describe('attachPvcalls', () => {
  it('writes the nodes that xl writes', () => {
    const { root, paths } = attached();
    expect(paths).toEqual({ frontend: FRONTEND, backend: BACKEND });
    const nodes = (path: string) =>
      Object.fromEntries(root.directory(path).map((name) => [name, root.read(`${path}/${name}`)]));
    expect(nodes(FRONTEND)).toEqual({ backend: BACKEND, 'backend-id': '0', state: '1' });
    expect(nodes(BACKEND)).toEqual({
      frontend: FRONTEND,
      'frontend-id': '1',
      online: '1',
      state: '1',
    });
    expect(root.getPerms(FRONTEND)).toEqual(['n1', 'r0']);
    expect(root.getPerms(`${FRONTEND}/state`)).toEqual(['n1', 'r0']);
    expect(root.getPerms(BACKEND)).toEqual(['n0', 'r1']);
    expect(root.read('/local/domain/1/name')).toBe('guest');
    expect(root.read('/local/domain/1/domid')).toBe('1');
  });

  it('lets either end write its own directory and read the other', () => {
    const machine = machineFor();
    const [guest, driver] = [guestOn(machine), guestOn(machine, 'driver')];
    const device = { frontend: guest.domid, backend: driver.domid, devid: 3 };
    const paths = attachPvcalls(machine, device);
    expect(paths.backend).toBe('/local/domain/2/backend/pvcalls/1/3');
    const [front, back] = [1, 2].map((domid) => machine.store.connect(domid));
    front!.write('device/pvcalls/3/state', '3');
    expect(front!.read(`${paths.backend}/state`)).toBe('1');
    expect(codeOf(() => front!.write(`${paths.backend}/state`, '2'))).toBe('EACCES');
    back!.write('backend/pvcalls/1/3/versions', '1');
    expect(back!.read(`${paths.frontend}/state`)).toBe('3');
    expect(codeOf(() => back!.write(`${paths.frontend}/state`, '2'))).toBe('EACCES');
    expect(back!.directory('backend/pvcalls')).toEqual(['1']);
  });

  it('refuses a device that exists and domains that do not', () => {
    const { machine, device } = attached();
    expect(() => attachPvcalls(machine, device)).toThrow('exists');
    expect(() => attachPvcalls(machine, { frontend: 20, backend: 0 })).toThrow('no domain 20');
  });
});

describe('detachPvcalls', () => {
  it('asks the backend to close, waits for both ends, and removes the nodes', async () => {
    const { machine, device, root } = attached();
    const detached = detachPvcalls(machine, device);
    expect(root.read(`${BACKEND}/online`)).toBe('0');
    expect(root.read(`${BACKEND}/state`)).toBe('5');
    root.write(`${BACKEND}/state`, '6');
    await new Promise((done) => setTimeout(done, 5));
    expect(root.exists(FRONTEND)).toBe(true);
    root.write(`${FRONTEND}/state`, '6');
    await detached;
    expect(root.exists('/local/domain/1/device/pvcalls')).toBe(false);
    expect(root.exists('/local/domain/0/backend/pvcalls')).toBe(false);
    expect(root.exists('/local/domain/0/backend')).toBe(true);
    machine.assertCleanedUp();
    attachPvcalls(machine, device);
  });

  it('gives up after a while, with the states, and can be forced', async () => {
    const scheduler = new SeededScheduler(1);
    const { machine, device, root } = attached({ scheduler });
    let failure = '';
    detachPvcalls(machine, device).catch((error: Error) => (failure = error.message));
    await scheduler.run(() => failure !== '');
    expect(failure).toMatch('not closed after 10000 ms (backend 5, frontend 1)');
    expect(scheduler.now()).toBeGreaterThanOrEqual(10_000);
    await detachPvcalls(machine, device, { forced: true });
    expect(root.exists(FRONTEND)).toBe(false);
    expect(root.exists(BACKEND)).toBe(false);
    await detachPvcalls(machine, device, { forced: true }); // nothing left to do
    machine.assertCleanedUp();
  });

  it('counts an end that is gone as closed', async () => {
    const { machine, guest, device, root } = attached();
    guest.destroy();
    const detached = detachPvcalls(machine, device);
    root.write(`${BACKEND}/state`, '6');
    await detached;
    expect(root.exists(BACKEND)).toBe(false);
  });
});
