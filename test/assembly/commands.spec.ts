/**
 * The seven commands, byte for byte. What is expected is written by hand from the tables of the
 * spec, "Commands Ring", as hexadecimal text; a byte that is not named there must be zero although
 * the memory held garbage.
 */
import {
  encodeAccept,
  encodeBind,
  encodeConnect,
  encodeHeader,
  encodeListen,
  encodeRelease,
  encodeSocket,
  responseCommand,
  responseId,
  responseReqId,
  responseRet,
} from '../../assembly/pvcalls/commands';

const AT: usize = 0x10000;
const ADDR: usize = 0x11000;
const REQ_ID: u32 = 0x04030201;
const ID: u32 = 0x14131211;

/** req_id 0x04030201, cmd, id 0x14131211. */
function head(command: string): string {
  return '01020304' + command + '000000' + '1112131400000000';
}

/** 127.0.0.1 port 8080 as struct sockaddr_in: family 2, port and address in network order. */
const SOCKADDR: string = '0200' + '1f90' + '7f000001';

function zeros(bytes: i32): string {
  return '00'.repeat(bytes);
}

function hex(at: usize, size: u32): string {
  let text = '';
  for (let i: u32 = 0; i < size; i++) {
    const byte = <u32>load<u8>(at + i);
    text += (byte < 16 ? '0' : '') + byte.toString(16);
  }
  return text;
}

/** Writes the bytes of a hexadecimal text. */
function put(at: usize, text: string): void {
  for (let i = 0; i < text.length; i += 2) {
    store<u8>(at + i / 2, <u8>U32.parseInt(text.substr(i, 2), 16));
  }
}

function start(command: u32): void {
  memory.fill(AT, 0xa5, 128);
  encodeHeader(AT, REQ_ID, command, ID);
}

function expectRequest(bytes: string): void {
  expect(bytes.length).toBe(128);
  expect(hex(AT, 64)).toBe(bytes);
  expect(hex(AT + 64, 4)).toBe('a5a5a5a5');
}

describe('requests', () => {
  beforeEach(() => {
    memory.fill(ADDR, 0xee, 64);
    put(ADDR, SOCKADDR + zeros(20));
  });

  it('socket: domain at 16, type at 20, protocol at 24', () => {
    start(0);
    encodeSocket(AT, 2, 1, 0);
    expectRequest(head('00') + '02000000' + '01000000' + '00000000' + zeros(36));
  });

  it('connect: addr at 16, len at 44, flags 0, ref at 52, evtchn at 56', () => {
    start(1);
    encodeConnect(AT, ADDR, 16, 0x24232221, 0x34333231);
    const addr = SOCKADDR + zeros(20);
    expectRequest(head('01') + addr + '10000000' + zeros(4) + '21222324' + '31323334' + zeros(4));
  });

  it('connect with 16 bytes of address leaves the other 12 zero, whatever follows it', () => {
    memory.fill(ADDR + 16, 0xee, 48);
    start(1);
    encodeConnect(AT, ADDR, 16, 7, 9);
    expect(hex(AT + 16, 28)).toBe(SOCKADDR + zeros(20));
  });

  it('connect carries an address of 28 bytes whole', () => {
    memory.fill(ADDR + 8, 0x5a, 20);
    start(1);
    encodeConnect(AT, ADDR, 28, 7, 9);
    expect(hex(AT + 16, 32)).toBe(SOCKADDR + '5a'.repeat(20) + '1c000000');
  });

  it('release: reuse at 16, and our reset in the padding at 17', () => {
    start(2);
    encodeRelease(AT, false, false);
    expectRequest(head('02') + zeros(48));
    start(2);
    encodeRelease(AT, true, false);
    expectRequest(head('02') + '01' + zeros(47));
    start(2);
    encodeRelease(AT, false, true);
    expectRequest(head('02') + '0001' + zeros(46));
  });

  it('bind: addr at 16, len at 44', () => {
    start(3);
    encodeBind(AT, ADDR, 16);
    expectRequest(head('03') + SOCKADDR + zeros(20) + '10000000' + zeros(16));
  });

  it('listen: backlog at 16', () => {
    start(4);
    encodeListen(AT, 0x44434241);
    expectRequest(head('04') + '41424344' + zeros(44));
  });

  it('accept: id_new at 16, ref at 24, evtchn at 28', () => {
    start(5);
    encodeAccept(AT, 0x54535251, 0x64636261, 0x74737271);
    const idNew = '5152535400000000';
    expectRequest(head('05') + idNew + '61626364' + '71727374' + zeros(32));
  });

  it('poll: nothing but the head', () => {
    start(6);
    expectRequest(head('06') + zeros(48));
  });
});

describe('responses', () => {
  it('have req_id at 0, cmd at 4, ret at 8 and id at 16', () => {
    put(AT, '01020304' + '05000000' + '95ffffff' + 'eeeeeeee' + '1112131401000000');
    expect(responseReqId(AT)).toBe(0x04030201);
    expect(responseCommand(AT)).toBe(5);
    expect(responseRet(AT)).toBe(-107);
    expect(responseId(AT)).toBe(0x114131211);
  });
});
