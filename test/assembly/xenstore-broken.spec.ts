/** What the xenstore client refuses: it breaks the connection, and never traps. */
import { storeFlush, storeTake } from '../../assembly/guest/xenstore';
import { fake_forget_sent, fake_sent, fake_violations } from './fake';
import {
  READ,
  port,
  startClient,
  ask,
  asked,
  payload,
  expectMessage,
  expectBroken,
} from './xenstore-client';
import {
  composeSize,
  feed,
  lieAboutRequests,
  lieAboutResponses,
  say,
  STORE_PAGE,
} from './xenstored-end';

const ERROR: u32 = 16;

beforeEach(() => {
  startClient(0);
});

afterEach(() => {
  expect(fake_violations()).toBe(0);
});

describe('the connection breaks, without a trap,', () => {
  it('over a payload of 4097 bytes', () => {
    composeSize(READ, asked(), 4097);
    feed(16);
    expectBroken();
  });

  it('over a payload of 2^32 - 1 bytes', () => {
    say(READ, asked(), '');
    store<u32>(STORE_PAGE + 1024 + 12, 0xffffffff); // len, where the ring begins
    expectBroken();
  });

  it('over an error that does not end, is empty, or goes on after its NUL', () => {
    say(ERROR, asked(), 'ENOENT');
    expectBroken();
    startClient(0);
    say(ERROR, asked(), '');
    expectBroken();
    startClient(0);
    say(ERROR, asked(), 'ENOENT|more|');
    expectBroken();
  });

  it('over a reply that nobody asked for', () => {
    asked();
    say(READ, 0x3fffffff, 'v');
    expectBroken();
  });

  it('over a reply with id 0, which marks free entries', () => {
    say(READ, 0, 'v');
    expectBroken();
  });

  it('over a second reply to the same request', () => {
    const id = asked();
    say(READ, id, 'v');
    expectMessage(READ, id, 'v');
    say(READ, id, 'v');
    expectBroken();
  });

  it('over a producer index beyond the ring', () => {
    say(READ, asked(), 'a reply that would be right');
    lieAboutResponses(1025);
    expectBroken();
    startClient(0);
    lieAboutResponses(<u32>-1);
    expectBroken();
  });

  it('over a consumer index beyond what was produced', () => {
    lieAboutRequests(<u32>-1);
    ask(READ, 'x');
    expectBroken();
  });

  it('over a consumer index that fell behind the ring', () => {
    lieAboutRequests(1025);
    ask(READ, 'x');
    expectBroken();
  });

  it('and nothing of the page is touched afterwards', () => {
    lieAboutResponses(5000);
    expectBroken();
    fake_forget_sent();
    const before = load<u64>(STORE_PAGE + 2048);
    say(READ, 1, 'v');
    storeFlush();
    storeTake();
    expect(load<u64>(STORE_PAGE + 2048)).toBe(before);
    expect(fake_sent(port)).toBe(0);
  });
});
