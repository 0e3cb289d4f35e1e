/** Names of xenstore nodes, which are numbers in the source, and decimal numbers. */
import {
  BACKEND_HI,
  BACKEND_ID_HI,
  BACKEND_ID_LO,
  BACKEND_LO,
  DEVICE_PATH_HI,
  DEVICE_PATH_LO,
  FEATURE_RESET_HI,
  FEATURE_RESET_LO,
  FUNCTION_CALLS_HI,
  FUNCTION_CALLS_LO,
  MAX_PAGE_ORDER_HI,
  MAX_PAGE_ORDER_LO,
  NOT_A_NUMBER,
  parseDecimal,
  PORT_HI,
  PORT_LO,
  putDecimal,
  putName,
  RING_REF_HI,
  RING_REF_LO,
  STATE_HI,
  STATE_LO,
  VERSION_HI,
  VERSION_LO,
  VERSIONS_HI,
  VERSIONS_LO,
} from '../../assembly/guest/text';

const AT: usize = 0x10000;

function name(low: u64, high: u64): string {
  const end = putName(AT, low, high);
  return String.UTF8.decodeUnsafe(AT, end - AT);
}

function decimal(value: u32): string {
  memory.fill(AT, 0x2a, 16);
  const end = putDecimal(AT, value);
  expect(load<u8>(end)).toBe(0x2a);
  return String.UTF8.decodeUnsafe(AT, end - AT);
}

function parse(text: string): u32 {
  const bytes = String.UTF8.encode(text);
  return parseDecimal(changetype<usize>(bytes), bytes.byteLength);
}

describe('names', () => {
  it('decode to the nodes of the spec', () => {
    expect(name(DEVICE_PATH_LO, DEVICE_PATH_HI)).toBe('device/pvcalls/0');
    expect(name(BACKEND_LO, BACKEND_HI)).toBe('backend');
    expect(name(BACKEND_ID_LO, BACKEND_ID_HI)).toBe('backend-id');
    expect(name(STATE_LO, STATE_HI)).toBe('state');
    expect(name(VERSIONS_LO, VERSIONS_HI)).toBe('versions');
    expect(name(VERSION_LO, VERSION_HI)).toBe('version');
    expect(name(MAX_PAGE_ORDER_LO, MAX_PAGE_ORDER_HI)).toBe('max-page-order');
    expect(name(FUNCTION_CALLS_LO, FUNCTION_CALLS_HI)).toBe('function-calls');
    expect(name(FEATURE_RESET_LO, FEATURE_RESET_HI)).toBe('feature-reset');
    expect(name(RING_REF_LO, RING_REF_HI)).toBe('ring-ref');
    expect(name(PORT_LO, PORT_HI)).toBe('port');
  });

  it('of one, eight, nine and sixteen letters end where they should', () => {
    expect(name(0x61, 0)).toBe('a');
    expect(name(0x6161616161616161, 0)).toBe('aaaaaaaa');
    expect(name(0x6161616161616161, 0x62)).toBe('aaaaaaaab');
    expect(name(0x6161616161616161, 0x6262626262626262)).toBe('aaaaaaaabbbbbbbb');
  });
});

describe('decimal numbers', () => {
  it('are written without leading zeros and without a NUL', () => {
    expect(decimal(0)).toBe('0');
    expect(decimal(7)).toBe('7');
    expect(decimal(10)).toBe('10');
    expect(decimal(999)).toBe('999');
    expect(decimal(1000)).toBe('1000');
    expect(decimal(4095)).toBe('4095');
    expect(decimal(4294967295)).toBe('4294967295');
  });

  it('are read up to nine digits', () => {
    expect(parse('0')).toBe(0);
    expect(parse('4')).toBe(4);
    expect(parse('0009')).toBe(9);
    expect(parse('999999999')).toBe(999999999);
  });

  it('are refused with more digits, among them those that would wrap', () => {
    expect(parse('1000000000')).toBe(NOT_A_NUMBER);
    expect(parse('4294967296')).toBe(NOT_A_NUMBER);
    expect(parse('0000000001')).toBe(NOT_A_NUMBER);
  });

  it('are refused with anything but digits, or with nothing', () => {
    expect(parse('')).toBe(NOT_A_NUMBER);
    expect(parse('abc')).toBe(NOT_A_NUMBER);
    expect(parse('-1')).toBe(NOT_A_NUMBER);
    expect(parse('+1')).toBe(NOT_A_NUMBER);
    expect(parse(' 1')).toBe(NOT_A_NUMBER);
    expect(parse('1 ')).toBe(NOT_A_NUMBER);
    expect(parse('1\0')).toBe(NOT_A_NUMBER);
    expect(parse('0x1')).toBe(NOT_A_NUMBER);
    expect(parse('1/')).toBe(NOT_A_NUMBER); // the characters around the digits
    expect(parse('1:')).toBe(NOT_A_NUMBER);
  });

  it('are read from as many bytes as are given', () => {
    putDecimal(AT, 123456);
    expect(parseDecimal(AT, 3)).toBe(123);
    expect(parseDecimal(AT, 0)).toBe(NOT_A_NUMBER);
  });
});
