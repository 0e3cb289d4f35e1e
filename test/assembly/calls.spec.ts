/** socket, connect, bind and listen by state, against a backend that answers as it is told. */
import { attachConnected, attachDetached, attachOffer, close } from '../../assembly/pvcalls/abi';
import {
  acceptSocket,
  bindSocket,
  connectSocket,
  listenSocket,
  openSocket,
  pollSocket,
  setRingOrder,
} from '../../assembly/pvcalls/calls';
import {
  DEVICE_CONNECTED,
  DEVICE_CONNECTING,
  INIT_SOCKETS,
  POLLOUT,
} from '../../assembly/wire/abi';
import {
  EADDRINUSE,
  EAFNOSUPPORT,
  EALREADY,
  EBADF,
  ECONNREFUSED,
  EINPROGRESS,
  EINVAL,
  EISCONN,
  ENETDOWN,
  ENFILE,
  ENOBUFS,
  ENOTSUP,
} from '../../assembly/wire/errno';
import {
  fake_fail_after,
  fake_forget_sent,
  fake_frame_of,
  fake_grantee_of,
  fake_grants,
  fake_ports,
  fake_remote_of,
  fake_sent_total,
  fake_violations,
} from './fake';
import {
  ADDRESS,
  boot,
  configure,
  expectClosed,
  expectDevice,
  expectDone,
  expectFramesBack,
  expectNothing,
  option,
  sockaddr,
} from './guest';
import {
  answer,
  attach,
  BACKEND,
  BIND,
  CONNECT,
  hasRequest,
  idOf,
  kick,
  openFresh,
  RELEASE,
  reply,
  serve,
  SOCKET,
  take,
} from './scripted-backend';

beforeEach(() => {
  configure();
  boot();
  attach(9, 0);
});

afterEach(() => {
  expect(fake_violations()).toBe(0);
});

describe('the device, offered without xenstore', () => {
  it('is one page and one port for the backend, told of once', () => {
    configure();
    boot();
    const ref = attachOffer(BACKEND);
    expect(fake_grants()).toBe(1);
    expect(fake_grantee_of(ref)).toBe(BACKEND);
    expect(fake_ports()).toBe(1);
    expectDevice(DEVICE_CONNECTING, 0);
    expect(openSocket(2, 1, 0)).toBe(-ENETDOWN);
    expect(attachOffer(BACKEND)).toBe(-EISCONN);
    attachConnected(4, 0);
    expectDevice(DEVICE_CONNECTED, 0);
    expectNothing();
  });

  it('leaves nothing behind when it is detached', () => {
    attachDetached();
    expect(fake_grants()).toBe(0);
    expect(fake_ports()).toBe(0);
    expectFramesBack();
  });

  it('that cannot have its port or its grant is ENOBUFS, and leaves nothing behind', () => {
    configure();
    boot();
    fake_fail_after(0);
    expect(attachOffer(BACKEND)).toBe(-ENOBUFS);
    fake_fail_after(1);
    expect(attachOffer(BACKEND)).toBe(-ENOBUFS);
    expect(fake_grants()).toBe(0);
    expect(fake_ports()).toBe(0);
    expectFramesBack();
  });
});

describe('socket', () => {
  it('sends SOCKET with AF_INET, SOCK_STREAM and protocol 0, for IPPROTO_TCP too', () => {
    const handle = openSocket(2, 1, 6);
    const request = take(SOCKET);
    expect(idOf(request)).toBe(<u32>handle);
    expect(load<u32>(request, 16)).toBe(2);
    expect(load<u32>(request, 20)).toBe(1);
    expect(load<u32>(request, 24)).toBe(0);
    reply(request, 0);
    expectNothing();
  });

  it('refuses other families, types and protocols', () => {
    expect(openSocket(10, 1, 0)).toBe(-EAFNOSUPPORT);
    expect(openSocket(1, 1, 0)).toBe(-EAFNOSUPPORT);
    expect(openSocket(2, 2, 0)).toBe(-ENOTSUP);
    expect(openSocket(2, 1, 17)).toBe(-ENOTSUP);
    expect(hasRequest()).toBe(false);
  });

  it('is ENFILE when the table is full', () => {
    configure();
    option(INIT_SOCKETS, 2);
    boot();
    attach(4, 0);
    openSocket(2, 1, 0);
    openSocket(2, 1, 0);
    expect(openSocket(2, 1, 0)).toBe(-ENFILE);
  });

  it('that the backend refuses reports so, and every further call says the same', () => {
    const handle = openSocket(2, 1, 0);
    serve(SOCKET, -ENOTSUP);
    expectDone(handle, SOCKET, -ENOTSUP);
    expect(connectSocket(handle, sockaddr(80), 16)).toBe(-ENOTSUP);
    expect(bindSocket(handle, sockaddr(80), 16)).toBe(-ENOTSUP);
    expect(close(handle)).toBe(0);
    expect(hasRequest()).toBe(false); // the backend has no such socket
    expectClosed(handle, 0);
  });
});

describe('connect', () => {
  it('is in progress until the backend answers, and then connected', () => {
    const handle = openFresh();
    expect(connectSocket(handle, sockaddr(80), 16)).toBe(-EINPROGRESS);
    expectNothing();
    const request = take(CONNECT);
    expect(idOf(request)).toBe(<u32>handle);
    expect(load<u32>(request, 44)).toBe(16);
    expect(load<u64>(request, 16)).toBe(load<u64>(ADDRESS));
    expect(fake_frame_of(load<u32>(request, 52))).toBeGreaterThan(0);
    expect(fake_remote_of(load<u32>(request, 56))).toBe(BACKEND);
    reply(request, 0);
    expectDone(handle, CONNECT, 0);
    expectNothing();
    expect(pollSocket(handle)).toBe(POLLOUT);
  });

  it('waits for the answer to SOCKET before it is sent', () => {
    const handle = openSocket(2, 1, 0);
    expect(connectSocket(handle, sockaddr(80), 16)).toBe(-EINPROGRESS);
    const request = take(SOCKET);
    expect(hasRequest()).toBe(false);
    reply(request, 0);
    serve(CONNECT, 0);
    expectDone(handle, CONNECT, 0);
    expect(hasRequest()).toBe(false);
  });

  it('fails with what SOCKET was answered', () => {
    const handle = openSocket(2, 1, 0);
    connectSocket(handle, sockaddr(80), 16);
    serve(SOCKET, -EAFNOSUPPORT);
    expectDone(handle, CONNECT, -EAFNOSUPPORT);
    close(handle);
    expectClosed(handle, 0);
    attachDetached();
    expectFramesBack();
  });

  it('passes the error of the backend through, gives the ring back, and can be tried again', () => {
    const handle = openFresh();
    const grants = fake_grants();
    connectSocket(handle, sockaddr(80), 16);
    serve(CONNECT, -ECONNREFUSED);
    expectDone(handle, CONNECT, -ECONNREFUSED);
    expect(fake_grants()).toBe(grants);
    expect(connectSocket(handle, sockaddr(81), 16)).toBe(-EINPROGRESS);
    serve(CONNECT, 0);
    expectDone(handle, CONNECT, 0);
  });

  it('passes errors through that no table names', () => {
    const handle = openFresh();
    connectSocket(handle, sockaddr(80), 16);
    serve(CONNECT, -512);
    expectDone(handle, CONNECT, -512);
    connectSocket(handle, sockaddr(80), 16);
    serve(CONNECT, -4095);
    expectDone(handle, CONNECT, -4095);
  });

  it('is EALREADY while in progress and EISCONN afterwards', () => {
    const handle = openFresh();
    connectSocket(handle, sockaddr(80), 16);
    expect(connectSocket(handle, sockaddr(80), 16)).toBe(-EALREADY);
    expect(bindSocket(handle, sockaddr(80), 16)).toBe(-EALREADY);
    serve(CONNECT, 0);
    expect(connectSocket(handle, sockaddr(80), 16)).toBe(-EISCONN);
    expect(hasRequest()).toBe(false);
  });

  it('refuses addresses that are none', () => {
    const handle = openFresh();
    expect(connectSocket(handle, sockaddr(80), 15)).toBe(-EINVAL);
    expect(connectSocket(handle, sockaddr(80), 29)).toBe(-EINVAL);
    store<u16>(sockaddr(80), 10);
    expect(connectSocket(handle, ADDRESS, 28)).toBe(-EAFNOSUPPORT);
    expect(hasRequest()).toBe(false);
    expect(fake_grants()).toBe(1);
  });

  it('copies the address: the program may change it before it is sent', () => {
    const handle = openSocket(2, 1, 0);
    connectSocket(handle, sockaddr(0x1234), 16);
    sockaddr(0x5678);
    serve(SOCKET, 0);
    expect(load<u16>(take(CONNECT), 18)).toBe(0x3412);
  });

  it('describes its ring on the indexes page: order at 128, references from 132', () => {
    const handle = openFresh();
    setRingOrder(handle, 3);
    connectSocket(handle, sockaddr(80), 16);
    const page = (<usize>fake_frame_of(load<u32>(take(CONNECT), 52))) << 12;
    expect(load<u32>(page, 128)).toBe(3);
    expect(load<u32>(page, 76)).toBe(0);
    let frame = -1;
    for (let i = 0; i < 8; i++) {
      const next = fake_frame_of(load<u32>(page + 132 + i * 4));
      expect(next).toBeGreaterThan(0);
      expect(next).not.toBe(frame);
      frame = next;
    }
    expect(load<u32>(page + 132 + 8 * 4)).toBe(0);
    expect(fake_grants()).toBe(1 + 9);
  });
});

describe('answers', () => {
  it('come in any order', () => {
    const one = openFresh();
    const two = openFresh();
    const three = openFresh();
    connectSocket(one, sockaddr(1), 16);
    bindSocket(two, sockaddr(2), 16);
    connectSocket(three, sockaddr(3), 16);
    const first = take(CONNECT);
    const second = take(BIND);
    const third = take(CONNECT);
    answer(third, -ECONNREFUSED);
    answer(first, 0);
    answer(second, -EADDRINUSE);
    kick();
    expectDone(three, CONNECT, -ECONNREFUSED);
    expectDone(one, CONNECT, 0);
    expectDone(two, BIND, -EADDRINUSE);
    expectNothing();
  });

  it('let the next requests out in one batch with one notification', () => {
    const one = openSocket(2, 1, 0);
    const two = openSocket(2, 1, 0);
    connectSocket(one, sockaddr(1), 16);
    connectSocket(two, sockaddr(2), 16);
    answer(take(SOCKET), 0);
    answer(take(SOCKET), 0);
    fake_forget_sent();
    kick();
    expect(fake_sent_total()).toBe(1);
    take(CONNECT);
    take(CONNECT);
  });
});

describe('a handle', () => {
  it('that is none is EBADF for every call', () => {
    const stale = openFresh();
    close(stale);
    serve(RELEASE, 0);
    expectClosed(stale, 0);
    openFresh(); // the same entry
    expect(connectSocket(stale, sockaddr(80), 16)).toBe(-EBADF);
    expect(bindSocket(stale, sockaddr(80), 16)).toBe(-EBADF);
    expect(listenSocket(stale, 1)).toBe(-EBADF);
    expect(acceptSocket(stale)).toBe(-EBADF);
    expect(pollSocket(stale)).toBe(-EBADF);
    expect(setRingOrder(stale, 1)).toBe(-EBADF);
    expect(close(stale)).toBe(-EBADF);
    expect(close(0)).toBe(-EBADF);
    expect(connectSocket(0xffffffff, sockaddr(80), 16)).toBe(-EBADF);
  });
});
