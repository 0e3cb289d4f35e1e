import { describe, expect, it } from 'vitest';

import { SeededScheduler } from '../../../host/machine/index.js';
import { codeOf, guestOn, machineFor, settle } from './support.js';

function stores() {
  const machine = machineFor();
  const guest = guestOn(machine);
  return {
    machine,
    guest,
    root: machine.store.connect(0),
    own: machine.store.connect(guest.domid),
  };
}

describe('nodes', () => {
  it('are written, read and listed; parents come by themselves', () => {
    const { root } = stores();
    root.write('/a/b/c', 'hello');
    root.write('/a/b/d', new Uint8Array([0, 255]));
    expect(root.read('/a/b/c')).toBe('hello');
    expect([...root.readBytes('/a/b/d')]).toEqual([0, 255]);
    expect(root.directory('/a/b')).toEqual(['c', 'd']);
    expect(root.read('/a')).toBe('');
    expect(root.exists('/a/b')).toBe(true);
    expect(root.exists('/a/x')).toBe(false);
    expect(codeOf(() => root.read('/a/x'))).toBe('ENOENT');
    expect(codeOf(() => root.directory('/q/x'))).toBe('ENOENT');
  });

  it('are relative to the own domain unless they begin with a slash', () => {
    const { guest, root, own } = stores();
    own.write('data/x', '1');
    expect(root.read(`/local/domain/${guest.domid}/data/x`)).toBe('1');
    expect(root.read('domid')).toBe('0');
  });

  it('have names of certain characters and lengths only', () => {
    const { root } = stores();
    const bad = ['', '//', '/a/', '/a//b', '/a b', '/ä', '@x', '/\0', '/'.padEnd(3074, 'a')];
    for (const path of [...bad, 'a'.repeat(2049)]) {
      expect(
        codeOf(() => root.write(path, '')),
        path.slice(0, 20),
      ).toBe('EINVAL');
    }
    expect(codeOf(() => root.write('/-_@aZ9', ''))).toBe('nothing thrown');
    expect(codeOf(() => root.write('/'.padEnd(3072, 'a'), ''))).toBe('nothing thrown');
  });

  it('go with all that is below', () => {
    const { root } = stores();
    root.write('/a/b/c/d', '1');
    root.rm('/a/b');
    expect(root.exists('/a/b/c/d')).toBe(false);
    expect(root.directory('/a')).toEqual([]);
    root.rm('/a/b'); // was there a moment ago: fine
    expect(codeOf(() => root.rm('/a/b/c'))).toBe('ENOENT');
    expect(codeOf(() => root.rm('/'))).toBe('EINVAL');
  });

  it('are made empty by mkdir, which leaves existing ones alone', () => {
    const { root } = stores();
    root.mkdir('/m/n');
    expect(root.read('/m/n')).toBe('');
    root.write('/m/n', 'x');
    root.mkdir('/m/n');
    expect(root.read('/m/n')).toBe('x');
  });
});

describe('permissions', () => {
  it('let owner and domain 0 do everything, and others what the list says', () => {
    const { machine, root, own } = stores();
    const other = machine.store.connect(guestOn(machine, 'other').domid);
    root.write('/p', 'v');
    root.setPerms('/p', ['n1']);
    expect(own.read('/p')).toBe('v');
    expect(codeOf(() => other.read('/p'))).toBe('EACCES');
    own.setPerms('/p', ['n1', 'r2']);
    expect(other.read('/p')).toBe('v');
    expect(codeOf(() => other.write('/p', ''))).toBe('EACCES');
    expect(codeOf(() => other.setPerms('/p', ['n1', 'b2']))).toBe('EACCES');
    own.setPerms('/p', ['n1', 'w2']);
    expect(codeOf(() => other.read('/p'))).toBe('EACCES');
    other.write('/p', 'w');
    own.setPerms('/p', ['b1']);
    expect(other.read('/p')).toBe('w');
    expect(root.getPerms('/p')).toEqual(['b1']);
    expect(codeOf(() => own.setPerms('/p', ['n2']))).toBe('EPERM');
    expect(codeOf(() => own.setPerms('/p', ['x1']))).toBe('EINVAL');
    expect(codeOf(() => own.setPerms('/p', []))).toBe('EINVAL');
    expect(codeOf(() => own.setPerms('/p', ['n1', 'r2', 'r3', 'r4', 'r5', 'r6']))).toBe('ENOSPC');
  });

  it('are inherited, and what a guest makes is its own', () => {
    const { root, own } = stores();
    root.write('/shared', '');
    root.setPerms('/shared', ['b0', 'r7']);
    own.write('/shared/mine/deep', '1');
    expect(root.getPerms('/shared/mine')).toEqual(['b1', 'r7']);
    expect(root.getPerms('/shared/mine/deep')).toEqual(['b1', 'r7']);
    root.write('/shared/mine/root', '1');
    expect(root.getPerms('/shared/mine/root')).toEqual(['b1', 'r7']);
  });

  it('hide whether nodes exist from those who could not use them', () => {
    const { own } = stores();
    expect(codeOf(() => own.read('/local/domain/0/name'))).toBe('EACCES');
    expect(codeOf(() => own.read('/local/domain/0/nothing/at/all'))).toBe('EACCES');
    expect(codeOf(() => own.read('data/nothing'))).toBe('ENOENT');
    expect(codeOf(() => own.write('name', 'another'))).toBe('EACCES');
    expect(codeOf(() => own.write('device/x', ''))).toBe('EACCES');
    expect(codeOf(() => own.mkdir('/x'))).toBe('EACCES');
    expect(codeOf(() => own.rm('name'))).toBe('EACCES');
    expect(own.read('name')).toBe('guest');
  });
});

describe('watches', () => {
  function watcher(client: ReturnType<typeof stores>['root'], path: string, token = 't') {
    const events: string[] = [];
    client.watch(path, token, (changed, same) => events.push(`${changed} ${same}`));
    return events;
  }

  it('fire once at registration, whether the node exists or not, never at once', async () => {
    const { root } = stores();
    const events = watcher(root, '/nothing');
    expect(events).toEqual([]);
    await settle();
    expect(events).toEqual(['/nothing t']);
  });

  it('fire for every change of the node and below, in order, after it', async () => {
    const { root } = stores();
    const events = watcher(root, '/w');
    root.write('/w', '1');
    root.write('/w/x/y', '1');
    root.mkdir('/w/z');
    root.mkdir('/w/z'); // no change
    root.setPerms('/w/z', ['n0', 'r1']);
    root.write('/ww', '1');
    expect(events).toEqual([]);
    await settle(12);
    expect(events).toEqual(['/w t', '/w t', '/w/x/y t', '/w/z t', '/w/z t']);
  });

  it('fire when the node goes with one above it', async () => {
    const { root } = stores();
    root.write('/r/s/t', '');
    const deep = watcher(root, '/r/s/t');
    const top = watcher(root, '/r');
    root.rm('/r/s');
    await settle(12);
    expect(deep).toEqual(['/r/s/t t', '/r/s/t t']);
    expect(top).toEqual(['/r t', '/r/s t']);
  });

  it('speak of paths in the form the watch has', async () => {
    const { root, own } = stores();
    const relative = watcher(own, 'data');
    const absolute = watcher(own, '/local/domain/1/data', 'u');
    root.write('/local/domain/1/data/k', '');
    await settle(12);
    expect(relative).toEqual(['data t', 'data/k t']);
    expect(absolute).toEqual(['/local/domain/1/data u', '/local/domain/1/data/k u']);
  });

  it('do not tell a guest of what it may not read', async () => {
    const { root, own } = stores();
    root.write('/secret', '1');
    const events = watcher(own, '/secret');
    root.write('/secret', '2');
    root.setPerms('/secret', ['n0', 'r1']);
    await settle(12);
    expect(events).toEqual(['/secret t', '/secret t']);
  });

  it('exist once per path and token, and end', async () => {
    const { root } = stores();
    const events = watcher(root, '/e');
    expect(codeOf(() => watcher(root, '/e'))).toBe('EEXIST');
    const second = watcher(root, '/e', 'two');
    root.unwatch('/e', 't');
    expect(codeOf(() => root.unwatch('/e', 't'))).toBe('ENOENT');
    root.write('/e', '');
    await settle(12);
    expect(events).toEqual([]);
    expect(second).toEqual(['/e two', '/e two']);
    expect(codeOf(() => root.watch('@nonsense', 't', () => undefined))).toBe('EINVAL');
  });

  it('tell of domains that come and go', async () => {
    const { machine, root, own } = stores();
    const introduced = watcher(root, '@introduceDomain');
    const released = watcher(root, '@releaseDomain');
    const curious = watcher(own, '@releaseDomain');
    guestOn(machine, 'another').destroy();
    await settle(12);
    expect(introduced).toEqual(['@introduceDomain t', '@introduceDomain t']);
    expect(released).toEqual(['@releaseDomain t', '@releaseDomain t']);
    expect(curious).toEqual(['@releaseDomain t']);
  });

  it('keep their order under a scheduler that reorders', async () => {
    const scheduler = new SeededScheduler(5);
    const root = machineFor({ scheduler }).store.connect(0);
    const events = watcher(root, '/o');
    for (let change = 0; change < 20; change++) root.write(`/o/${change}`, '');
    await scheduler.run(() => events.length === 21);
    expect(events.slice(1)).toEqual(Array.from({ length: 20 }, (_, change) => `/o/${change} t`));
  });
});

describe('transactions', () => {
  it('show their changes to themselves at once and to others after the commit', async () => {
    const { root, machine } = stores();
    const other = machine.store.connect(0);
    const events: string[] = [];
    other.watch('/t', 'w', (path) => events.push(path));
    const transaction = root.begin();
    transaction.write('/t/a', '1');
    transaction.write('/t/b', '2');
    expect(transaction.directory('/t')).toEqual(['a', 'b']);
    expect(other.exists('/t')).toBe(false);
    await settle();
    expect(events).toEqual(['/t']);
    transaction.commit();
    expect(other.read('/t/b')).toBe('2');
    await settle(12);
    expect(events).toEqual(['/t', '/t/a', '/t/b']);
    expect(codeOf(() => transaction.read('/t/a'))).toBe('ENOENT');
    expect(codeOf(() => transaction.commit())).toBe('ENOENT');
  });

  it('answer EAGAIN when something they looked at has changed, and do nothing', () => {
    const { root } = stores();
    root.write('/c/x', '1');
    const reader = root.begin();
    reader.read('/c/x');
    reader.write('/c/y', '1');
    root.write('/c/x', '2');
    expect(codeOf(() => reader.commit())).toBe('EAGAIN');
    expect(root.exists('/c/y')).toBe(false);
    const prober = root.begin();
    prober.exists('/c/z');
    root.write('/c/z', '');
    expect(codeOf(() => prober.commit())).toBe('EAGAIN');
    const maker = root.begin();
    maker.write('/c/p', '');
    root.write('/c/q', ''); // the list of children is part of the parent
    expect(codeOf(() => maker.commit())).toBe('EAGAIN');
    const bystander = root.begin();
    bystander.write('/c/x', '3');
    root.write('/d', '');
    bystander.commit();
    expect(root.read('/c/x')).toBe('3');
  });

  it('are tried again by transaction(), and aborted by an exception', () => {
    const { root, machine } = stores();
    root.write('/n', '1');
    let attempts = 0;
    const result = root.transaction((transaction) => {
      const value = Number(transaction.read('/n'));
      if (attempts++ < 3) root.write('/n', String(value + 10));
      transaction.write('/n', String(value + 1));
      return value;
    });
    expect([attempts, result, root.read('/n')]).toEqual([4, 31, '32']);
    expect(() =>
      root.transaction((transaction) => {
        transaction.write('/n', 'x');
        throw new Error('no');
      }),
    ).toThrow('no');
    expect(root.read('/n')).toBe('32');
    machine.assertCleanedUp();
  });
});

describe('quotas', () => {
  it('limit nodes, value sizes, watches and transactions of guests, not of domain 0', () => {
    const { root, own } = stores();
    expect(codeOf(() => own.write('data/v', 'x'.repeat(2048)))).toBe('nothing thrown');
    expect(codeOf(() => own.write('data/v', 'x'.repeat(2049)))).toBe('ENOSPC');
    expect(codeOf(() => root.write('/v', 'x'.repeat(4096)))).toBe('nothing thrown');
    expect(codeOf(() => root.write('/v', 'x'.repeat(4097)))).toBe('E2BIG');
    let nodes = 0;
    const more = () => own.write(`data/n${nodes++}`, '');
    expect(
      codeOf(() => {
        while (nodes < 2000) more();
      }),
    ).toBe('ENOSPC');
    expect(nodes).toBeGreaterThan(900);
    own.rm('data/n1');
    expect(codeOf(more)).toBe('nothing thrown');
    const watches = () => {
      for (let at = 0; at < 200; at++) own.watch('data', `t${at}`, () => undefined);
    };
    expect(codeOf(watches)).toBe('E2BIG');
    expect(
      codeOf(() => {
        for (let at = 0; at < 20; at++) own.begin();
      }),
    ).toBe('ENOSPC');
    own.close();
    expect(codeOf(() => own.begin())).toBe('nothing thrown');
  });

  it('hold across transactions, and limit what one may look at', () => {
    const { own } = stores();
    const [first, second] = [own.begin(), own.begin()];
    own.mkdir('data/one');
    own.mkdir('data/two');
    first.abort();
    second.abort();
    const [a, b] = [own.begin(), own.begin()];
    for (let at = 0; at < 600; at++) {
      a.write(`data/one/${at}`, '');
      b.write(`data/two/${at}`, '');
    }
    a.commit();
    expect(codeOf(() => b.commit())).toBe('ENOSPC');
    const reader = own.begin();
    expect(
      codeOf(() => {
        for (let at = 0; at < 2000; at++) reader.exists(`data/no${at}`);
      }),
    ).toBe('ENOSPC');
  });
});

describe('a domain that is destroyed', () => {
  it('takes its watches, transactions and directory along', () => {
    const { machine, guest, root, own } = stores();
    own.watch('data', 't', () => undefined);
    own.begin();
    guest.destroy();
    expect(root.exists(`/local/domain/${guest.domid}`)).toBe(false);
    machine.assertCleanedUp();
  });
});
