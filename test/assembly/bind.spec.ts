/** bind and listen by state, against a backend that answers as it is told. */
import {
  acceptSocket,
  bindSocket,
  connectSocket,
  listenSocket,
  openSocket,
} from '../../assembly/pvcalls/calls';
import {
  EADDRINUSE,
  EALREADY,
  EDESTADDRREQ,
  EINPROGRESS,
  EINVAL,
  EOPNOTSUPP,
} from '../../assembly/wire/errno';
import { fake_violations } from './fake';
import { boot, configure, expectDone, sockaddr } from './guest';
import {
  attach,
  BIND,
  hasRequest,
  LISTEN,
  openConnected,
  openFresh,
  openListening,
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

describe('bind and listen', () => {
  it('say what the backend said', () => {
    const handle = openFresh();
    expect(bindSocket(handle, sockaddr(8080), 16)).toBe(-EINPROGRESS);
    expect(bindSocket(handle, sockaddr(8080), 16)).toBe(-EALREADY);
    serve(BIND, -EADDRINUSE);
    expectDone(handle, BIND, -EADDRINUSE);
    expect(bindSocket(handle, sockaddr(8081), 16)).toBe(-EINPROGRESS);
    const bind = take(BIND);
    expect(load<u16>(bind, 18)).toBe(0x911f);
    expect(load<u32>(bind, 44)).toBe(16);
    reply(bind, 0);
    expectDone(handle, BIND, 0);
    expect(listenSocket(handle, 7)).toBe(-EINPROGRESS);
    expect(listenSocket(handle, 7)).toBe(-EALREADY);
    const listen = take(LISTEN);
    expect(load<u32>(listen, 16)).toBe(7);
    reply(listen, -EINVAL);
    expectDone(handle, LISTEN, -EINVAL);
    listenSocket(handle, 7);
    serve(LISTEN, 0);
    expectDone(handle, LISTEN, 0);
  });

  it('come in their order: neither before SOCKET is answered nor listen before bind', () => {
    const handle = openSocket(2, 1, 0);
    expect(listenSocket(handle, 1)).toBe(-EDESTADDRREQ);
    bindSocket(handle, sockaddr(80), 16);
    expect(listenSocket(handle, 1)).toBe(-EALREADY);
    const request = take(SOCKET);
    expect(hasRequest()).toBe(false);
    reply(request, 0);
    serve(BIND, 0);
    expectDone(handle, BIND, 0);
  });

  it('are refused where they make no sense', () => {
    const listener = openListening();
    expect(bindSocket(listener, sockaddr(80), 16)).toBe(-EINVAL);
    expect(listenSocket(listener, 1)).toBe(-EINVAL);
    expect(connectSocket(listener, sockaddr(80), 16)).toBe(-EINVAL);
    const connection = openConnected(1);
    expect(bindSocket(connection, sockaddr(80), 16)).toBe(-EINVAL);
    expect(listenSocket(connection, 1)).toBe(-EINVAL);
    expect(acceptSocket(connection)).toBe(-EOPNOTSUPP);
    expect(acceptSocket(openFresh())).toBe(-EINVAL);
  });
});
