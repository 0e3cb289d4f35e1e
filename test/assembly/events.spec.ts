/** The scan of shared_info on both architectures, and who owns a port. */
import { arenaInit, arenaSeal } from '../../assembly/guest/arena';
import {
  closePort,
  eventsInit,
  openPort,
  ownerOf,
  OWNER_COMMANDS,
  OWNER_NONE,
  OWNER_SOCKETS,
  scanBegin,
  scanNext,
  setOwner,
} from '../../assembly/guest/events';
import { ENOBUFS } from '../../assembly/wire/errno';
import { fake_fail_after, fake_ports, fake_remote_of, fake_reset, fake_violations } from './fake';

const ARENA: usize = 0x100000;
const INFO: usize = 0x20000;

/** public/xen.h, struct shared_info: arm64 has one short vcpu_info, x86-64 has 32 long ones. */
const ARM64: u32 = 0;
const X86_64: u32 = 1;
const SELECTOR: usize = 8;

let pendingAt: usize = 0;
let maskAt: usize = 0;

function start(architecture: u32): void {
  fake_reset();
  memory.fill(INFO, 0, 4096);
  arenaInit(ARENA, 16);
  eventsInit(INFO, architecture);
  arenaSeal();
  pendingAt = INFO + (architecture == X86_64 ? 2048 : 48);
  maskAt = INFO + (architecture == X86_64 ? 2560 : 560);
}

/** What Xen does for an event: pending bit, selector bit, upcall byte. */
function raise(port: u32): void {
  setPending(port);
  const selector = load<u64>(INFO + SELECTOR);
  store<u64>(INFO + SELECTOR, selector | ((<u64>1) << (port >> 6)));
  store<u8>(INFO, 1);
}

function setPending(port: u32): void {
  const at = pendingAt + (port >> 3);
  store<u8>(at, load<u8>(at) | ((<u8>1) << ((<u8>port) & 7)));
}

function mask(port: u32): void {
  const at = maskAt + (port >> 3);
  store<u8>(at, load<u8>(at) | ((<u8>1) << ((<u8>port) & 7)));
}

function isPending(port: u32): bool {
  return ((load<u8>(pendingAt + (port >> 3)) >> ((<u8>port) & 7)) & 1) == 1;
}

/** Both architectures, one after the other. */
function onBoth(body: () => void): void {
  start(ARM64);
  body();
  start(X86_64);
  body();
}

describe('the scan', () => {
  it('finds nothing in an empty page, and clears the upcall byte', () => {
    onBoth(() => {
      store<u8>(INFO, 1);
      scanBegin();
      expect(scanNext()).toBe(-1);
      expect(load<u8>(INFO)).toBe(0);
    });
  });

  it('finds every pending port once, from the lowest to the highest there can be', () => {
    onBoth(() => {
      raise(4095);
      raise(0);
      raise(63);
      raise(64);
      raise(1000);
      scanBegin();
      expect(scanNext()).toBe(0);
      expect(scanNext()).toBe(63);
      expect(scanNext()).toBe(64);
      expect(scanNext()).toBe(1000);
      expect(scanNext()).toBe(4095);
      expect(scanNext()).toBe(-1);
      for (let port: u32 = 0; port < 4096; port++) if (isPending(port)) expect(port).toBe(4096);
      expect(load<u64>(INFO + SELECTOR)).toBe(0);
    });
  });

  it('finds all ports of a word', () => {
    onBoth(() => {
      for (let port: u32 = 128; port < 192; port++) raise(port);
      scanBegin();
      for (let port = 128; port < 192; port++) expect(scanNext()).toBe(port);
      expect(scanNext()).toBe(-1);
    });
  });

  it('passes masked ports by and leaves them pending', () => {
    onBoth(() => {
      mask(70);
      raise(70);
      raise(71);
      scanBegin();
      expect(scanNext()).toBe(71);
      expect(scanNext()).toBe(-1);
      expect(isPending(70)).toBe(true);
    });
  });

  it('goes by the selector: a bit without it waits for its upcall', () => {
    onBoth(() => {
      setPending(200);
      scanBegin();
      expect(scanNext()).toBe(-1);
      raise(200);
      scanBegin();
      expect(scanNext()).toBe(200);
    });
  });

  it('ignores the upcall byte: an extra scan finds nothing, a missing byte loses nothing', () => {
    onBoth(() => {
      raise(9);
      store<u8>(INFO, 0);
      scanBegin();
      expect(scanNext()).toBe(9);
      expect(scanNext()).toBe(-1);
      scanBegin();
      expect(scanNext()).toBe(-1);
    });
  });

  it('leaves a bit of the same word that is set meanwhile for the next upcall', () => {
    onBoth(() => {
      raise(64);
      raise(66);
      scanBegin();
      expect(scanNext()).toBe(64);
      raise(65);
      raise(64);
      expect(scanNext()).toBe(66);
      expect(scanNext()).toBe(-1);
      expect(load<u8>(INFO)).toBe(1);
      scanBegin();
      expect(scanNext()).toBe(64);
      expect(scanNext()).toBe(65);
      expect(scanNext()).toBe(-1);
    });
  });

  it('loses no bit of another word that is set meanwhile', () => {
    onBoth(() => {
      raise(10);
      raise(300);
      scanBegin();
      expect(scanNext()).toBe(10);
      raise(301); // the word is still to be looked at: it may come now, and a selector bit stays
      raise(20);
      let seen = 0;
      for (let port = scanNext(); port >= 0; port = scanNext()) seen += port;
      scanBegin();
      for (let port = scanNext(); port >= 0; port = scanNext()) seen += port;
      expect(seen).toBe(300 + 301 + 20);
    });
  });

  it('takes a selector bit without a pending port for spurious', () => {
    onBoth(() => {
      store<u64>(INFO + SELECTOR, u64.MAX_VALUE);
      raise(77);
      scanBegin();
      expect(scanNext()).toBe(77);
      expect(scanNext()).toBe(-1);
    });
  });

  it('does nothing when the embedder demultiplexes', () => {
    start(ARM64);
    arenaInit(ARENA, 16);
    eventsInit(0, ARM64);
    scanBegin();
    expect(scanNext()).toBe(-1);
  });
});

describe('ports', () => {
  beforeEach(() => {
    start(ARM64);
  });

  it('have no owner until they are opened, and none after they are closed', () => {
    const port = openPort(3, OWNER_COMMANDS);
    expect(fake_remote_of(port)).toBe(3);
    expect(ownerOf(port)).toBe(OWNER_COMMANDS);
    closePort(port);
    expect(ownerOf(port)).toBe(OWNER_NONE);
    expect(fake_ports()).toBe(0);
    expect(fake_violations()).toBe(0);
  });

  it('that do not exist have no owner, and are given none', () => {
    setOwner(4096, OWNER_COMMANDS);
    setOwner(0xffffffff, OWNER_COMMANDS);
    expect(ownerOf(4096)).toBe(OWNER_NONE);
    expect(ownerOf(0xffffffff)).toBe(OWNER_NONE);
    expect(ownerOf(4095)).toBe(OWNER_NONE);
  });

  it('know the last socket of the largest table', () => {
    setOwner(4095, OWNER_SOCKETS + 4063);
    expect(ownerOf(4095)).toBe(OWNER_SOCKETS + 4063);
    expect(ownerOf(4094)).toBe(OWNER_NONE);
  });

  it('that cannot be had are ENOBUFS', () => {
    fake_fail_after(0);
    expect(openPort(3, OWNER_COMMANDS)).toBe(-ENOBUFS);
    expect(fake_ports()).toBe(0);
  });
});
