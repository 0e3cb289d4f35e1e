import { describe, expect, it } from 'vitest';

import * as xs from '../../../assembly/wire/xenstore.js';
import { Random } from '../../../host/machine/index.js';
import { encode, RingClient } from './ring-client.js';
import { guestOn, machineFor, settle, until } from './support.js';

function ring() {
  const machine = machineFor();
  const guest = guestOn(machine);
  return {
    machine,
    guest,
    root: machine.store.connect(0),
    client: new RingClient(machine, guest),
  };
}

describe('xenstored on a ring page', () => {
  it('reads, writes, lists and removes', async () => {
    const { client, root } = ring();
    expect(await client.call(xs.XS_READ, 'name\0')).toBe('guest');
    expect(await client.call(xs.XS_WRITE, 'data/x\0value')).toBe('OK\0');
    expect(root.read('/local/domain/1/data/x')).toBe('value');
    expect(await client.call(xs.XS_MKDIR, 'data/y\0')).toBe('OK\0');
    expect(await client.call(xs.XS_DIRECTORY, 'data\0')).toBe('x\0y\0');
    expect(await client.call(xs.XS_GET_PERMS, 'data/x\0')).toBe('n1\0');
    expect(await client.call(xs.XS_SET_PERMS, 'data/x\0n1\0r0\0')).toBe('OK\0');
    expect(await client.call(xs.XS_GET_PERMS, 'data/x\0')).toBe('n1\0r0\0');
    expect(await client.call(xs.XS_RM, 'data/x\0')).toBe('OK\0');
    expect(await client.call(xs.XS_READ, 'data/x\0')).toBe('[ENOENT]');
    expect(await client.call(xs.XS_GET_DOMAIN_PATH, '7\0')).toBe('/local/domain/7\0');
  });

  it('says what it can do and that the guest is connected', () => {
    const { client } = ring();
    expect(client.index(xs.XS_SERVER_FEATURES)).toBe(3);
    expect(client.index(xs.XS_CONNECTION)).toBe(xs.XENSTORE_CONNECTED);
  });

  it('carries the longest payloads through its kilobyte, both ways', async () => {
    const { client, root } = ring();
    root.write('/big', 'b'.repeat(4096));
    root.setPerms('/big', ['r0']);
    expect(await client.call(xs.XS_READ, '/big\0')).toBe('b'.repeat(4096));
    const path = `data/${'p'.repeat(2000)}`;
    expect(await client.call(xs.XS_WRITE, `${path}\0${'v'.repeat(2048)}`)).toBe('OK\0');
    expect(await client.call(xs.XS_READ, `${path}\0`)).toBe('v'.repeat(2048));
    expect(await client.call(xs.XS_WRITE, `data/v\0${'v'.repeat(2049)}`)).toBe('[ENOSPC]');
  });

  it('answers several requests in one go, in order, with their ids', async () => {
    const { client } = ring();
    const requests = [71, 72, 73].map((id) => encode(xs.XS_READ, id, 0, Buffer.from('domid\0')));
    await client.send(Buffer.concat(requests));
    for (const id of [73, 71, 72]) expect(await client.reply(id)).toBe('1');
  });

  it('fires watches at first and on changes, in the form they were set', async () => {
    const { client, root } = ring();
    expect(await client.call(xs.XS_WATCH, 'data\0token\0')).toBe('OK\0');
    root.write('/local/domain/1/data/k', '');
    await until(() => client.events.length === 2);
    expect(client.events).toEqual([
      ['data', 'token'],
      ['data/k', 'token'],
    ]);
    expect(await client.call(xs.XS_WATCH, 'data\0token\0')).toBe('[EEXIST]');
    expect(await client.call(xs.XS_UNWATCH, 'data\0token\0')).toBe('OK\0');
    expect(await client.call(xs.XS_UNWATCH, 'data\0token\0')).toBe('[ENOENT]');
    expect(await client.call(xs.XS_WATCH, 'data\0')).toBe('[EINVAL]');
    await client.call(xs.XS_WATCH, 'data\0a\0');
    await client.call(xs.XS_WATCH, 'data\0b\0');
    expect(await client.call(xs.XS_RESET_WATCHES, '\0')).toBe('OK\0');
    expect(await client.call(xs.XS_UNWATCH, 'data\0a\0')).toBe('[ENOENT]');
  });

  it('queues one watch event once, however often it fires before the guest looks', async () => {
    const { client, root } = ring();
    await client.call(xs.XS_WATCH, 'data\0t\0');
    await until(() => client.events.length === 1);
    for (let change = 0; change < 500; change++) root.write('/local/domain/1/data', `${change}`);
    await settle();
    expect(client.events).toHaveLength(2);
  });

  it('runs transactions, with EAGAIN after a conflict', async () => {
    const { client, root } = ring();
    const id = Number.parseInt(await client.call(xs.XS_TRANSACTION_START, '\0'));
    expect(id).toBeGreaterThan(0);
    expect(await client.call(xs.XS_TRANSACTION_START, '\0', id)).toBe('[EBUSY]');
    expect(await client.call(xs.XS_WRITE, 'data/t\x001', id)).toBe('OK\0');
    expect(await client.call(xs.XS_READ, 'data/t\0')).toBe('[ENOENT]');
    expect(await client.call(xs.XS_TRANSACTION_END, 'X\0', id)).toBe('[EINVAL]');
    root.write('/local/domain/1/data/other', '');
    expect(await client.call(xs.XS_TRANSACTION_END, 'T\0', id)).toBe('[EAGAIN]');
    const again = Number.parseInt(await client.call(xs.XS_TRANSACTION_START, '\0'));
    await client.call(xs.XS_WRITE, 'data/t\x002', again);
    expect(await client.call(xs.XS_TRANSACTION_END, 'T\0', again)).toBe('OK\0');
    expect(await client.call(xs.XS_READ, 'data/t\0')).toBe('2');
    expect(await client.call(xs.XS_READ, 'data/t\0', again)).toBe('[ENOENT]');
  });

  it('lists long directories in parts', async () => {
    const { client, root } = ring();
    const names = Array.from({ length: 400 }, (_, at) => `a-rather-long-name-${at}`);
    for (const name of names) root.write(`/long/${name}`, '');
    root.setPerms('/long', ['r0']);
    expect(await client.call(xs.XS_DIRECTORY, '/long\0')).toBe('[E2BIG]');
    const found: string[] = [];
    for (let offset = 0, last = false; !last;) {
      const part = await client.call(xs.XS_DIRECTORY_PART, `/long\0${offset}\0`);
      const texts = part.slice(part.indexOf('\0') + 1);
      last = texts === '' || texts.endsWith('\0\0') || texts === '\0';
      const whole = last ? texts.slice(0, -1) : texts;
      offset += whole.length;
      found.push(...whole.split('\0').slice(0, -1));
    }
    expect(found).toEqual(names);
    expect(await client.call(xs.XS_DIRECTORY_PART, '/long\0')).toBe('[EINVAL]');
  });

  it('refuses what is for domain 0, and does not know the rest', async () => {
    const { client } = ring();
    for (const type of [xs.XS_CONTROL, xs.XS_INTRODUCE, xs.XS_RELEASE, xs.XS_SET_TARGET]) {
      expect(await client.call(type, '1\0')).toBe('[EACCES]');
    }
    for (const type of [20, 23, xs.XS_WATCH_EVENT, xs.XS_ERROR, 0xffff_ffff]) {
      expect(await client.call(type, '1\0')).toBe('[ENOSYS]');
    }
  });

  it('answers EINVAL to payloads that are not well formed', async () => {
    const { client } = ring();
    for (const [type, payload] of [
      [xs.XS_READ, ''],
      [xs.XS_READ, 'name'],
      [xs.XS_READ, '/\xff\0'],
      [xs.XS_WRITE, 'data/x'],
      [xs.XS_SET_PERMS, 'data\0'],
      [xs.XS_SET_PERMS, 'data\0q1\0'],
      [xs.XS_GET_DOMAIN_PATH, 'x\0'],
      [xs.XS_TRANSACTION_END, ''],
    ] as const) {
      expect(await client.call(type, payload), JSON.stringify([type, payload])).toBe('[EINVAL]');
    }
    expect(await client.call(xs.XS_READ, 'name\0', 99)).toBe('[ENOENT]');
  });

  it('waits with replies when the ring is full, and with requests when too many wait', async () => {
    const { client } = ring();
    client.taking = false;
    const requests: Buffer[] = [];
    for (let id = 1; id <= 120; id++) {
      requests.push(encode(xs.XS_WRITE, id, 0, Buffer.from(`data/n${id}\0x`)));
      requests.push(encode(xs.XS_READ, 1000 + id, 0, Buffer.from('name\0')));
    }
    const sent = client.send(Buffer.concat(requests));
    await until(() => client.index(xs.XS_RSP_PROD) === 1024);
    await until(() => client.index(xs.XS_REQ_PROD) - client.index(xs.XS_REQ_CONS) === 1024);
    await new Promise((done) => setTimeout(done, 20));
    expect(client.index(xs.XS_REQ_PROD) - client.index(xs.XS_REQ_CONS)).toBe(1024);
    expect(client.index(xs.XS_RSP_PROD)).toBe(1024);
    client.taking = true;
    client.take();
    await sent;
    for (let id = 1; id <= 120; id++) {
      expect(await client.reply(id)).toBe('OK\0');
      expect(await client.reply(1000 + id)).toBe('guest');
    }
  });
});

describe('a hostile guest', () => {
  it('is disconnected for a lying index or an impossible length, and nobody else is', async () => {
    const lies: ((client: RingClient) => Promise<void> | void)[] = [
      (client) => client.setIndex(xs.XS_REQ_PROD, client.index(xs.XS_REQ_CONS) + 1025),
      (client) => client.setIndex(xs.XS_REQ_PROD, -1),
      async (client) => {
        client.setIndex(xs.XS_RSP_CONS, client.index(xs.XS_RSP_PROD) + 5);
        await client.send(encode(xs.XS_READ, 1, 0, Buffer.from('name\0')));
      },
      (client) => client.send(lengthOf(4097)),
      (client) => client.send(lengthOf(0xffff_ffff)),
    ];
    for (const lie of lies) {
      const { machine, client, root } = ring();
      const honest = new RingClient(machine, guestOn(machine, 'honest'));
      await client.call(xs.XS_WATCH, 'data\0t\0');
      await settle();
      client.taking = false;
      await lie(client);
      client.kick();
      await settle();
      expect(client.index(xs.XS_ERROR_FIELD)).not.toBe(0);
      machine.assertCleanedUp(); // the watch went
      root.write('/local/domain/1/data', 'x');
      const before = client.index(xs.XS_RSP_PROD);
      await settle();
      expect(client.index(xs.XS_RSP_PROD)).toBe(before);
      expect(await honest.call(xs.XS_READ, 'name\0')).toBe('honest');
    }
  });

  it('may ask for a new connection afterwards', async () => {
    const { client } = ring();
    await client.call(xs.XS_WATCH, 'data\0t\0');
    client.setIndex(xs.XS_REQ_PROD, -1);
    client.kick();
    await settle();
    client.setIndex(xs.XS_CONNECTION, xs.XENSTORE_RECONNECT);
    client.kick();
    await until(() => client.index(xs.XS_CONNECTION) === xs.XENSTORE_CONNECTED);
    expect(client.index(xs.XS_ERROR_FIELD)).toBe(0);
    expect(client.index(xs.XS_REQ_CONS)).toBe(0);
    expect(await client.call(xs.XS_READ, 'name\0')).toBe('guest');
    expect(await client.call(xs.XS_UNWATCH, 'data\0t\0')).toBe('[ENOENT]');
  });

  it('is disconnected when it lets too many different watch events queue up', async () => {
    const { machine, client, root } = ring();
    await client.call(xs.XS_WATCH, 'data\0t\0');
    await settle();
    client.taking = false;
    root.setPerms('/local/domain/1/data', ['n1']);
    for (let node = 0; node < 2000; node++) root.mkdir(`/local/domain/1/data/${node}`);
    await settle();
    expect(client.index(xs.XS_ERROR_FIELD)).not.toBe(0);
    machine.assertCleanedUp();
  });

  it('cannot stop xenstored with noise', async () => {
    const random = new Random(99);
    const { machine, guest, client } = ring();
    const honest = new RingClient(machine, guestOn(machine, 'honest'));
    const page = new Uint8Array(machine.memory.buffer, guest.storePage, 4096);
    client.taking = false;
    for (let round = 0; round < 200; round++) {
      for (let at = 0; at < page.length; at++) page[at] = random.below(256);
      const cons = random.below(2) * 1024;
      client.setIndex(xs.XS_REQ_PROD, client.index(xs.XS_REQ_CONS) + random.below(1100));
      client.setIndex(xs.XS_RSP_CONS, cons);
      client.setIndex(xs.XS_CONNECTION, random.below(2));
      client.kick();
      await settle(2);
    }
    expect(await honest.call(xs.XS_READ, 'name\0')).toBe('honest');
  });
});

/** A request whose header announces so many bytes. */
function lengthOf(length: number): Buffer {
  const bytes = encode(xs.XS_READ, 1, 0, Buffer.alloc(0));
  bytes.writeUInt32LE(length, xs.MSG_LEN);
  return bytes;
}
