/**
 * For each line of the hardening list the core without its defence: one edit of assembly/ that
 * takes out exactly that. The tests of the line must go red with it (mutants.test.ts).
 * Where a line has several defences it has several mutants.
 */
import type { Edit } from '../mutants.js';

export interface Mutant {
  readonly line: number;
  /** Unique; also the folder below build/mutants. */
  readonly name: string;
  readonly edit: Edit;
  /** The file in test/hostile whose tests `line N: ...` see it. */
  readonly test: string;
}

const inFile =
  (file: string, test: string) =>
  (line: number, name: string, find: string, replace: string): Mutant => ({
    line,
    name,
    edit: { file: `assembly/${file}`, find, replace },
    test,
  });

const COMMANDS = 'command-ring.test.ts';
const REQUESTS = 'requests.test.ts';
const DATA = 'data-ring.test.ts';
const PAGES = 'pages.test.ts';
const BETWEEN = 'between.test.ts';
const XENBUS = 'xenbus.test.ts';
const EVENTS = 'events.test.ts';

const SLOT_IN_PLACE = 'commands.page + 64 + ((commands.rspCons - 1) & 31) * 64';

const COMMAND_RING: readonly Mutant[] = [
  inFile('ring/shared-ring.ts', COMMANDS)(
    1,
    'rsp-prod-unchecked',
    `    if (distance(prod, ring.rspCons) > distance(ring.reqProd, ring.rspCons))
      return RESPONSE_OVERFLOW;
`,
    '',
  ),
  inFile('pvcalls/answers.ts', BETWEEN)(
    2,
    'slot-parsed-in-place',
    'handleResponse(frontend.scratch);',
    `handleResponse(${SLOT_IN_PLACE});`,
  ),
  inFile('pvcalls/requests.ts', COMMANDS)(
    3,
    'req-id-masked',
    'request.reqId == reqId ?',
    'request.reqId != 0 ?',
  ),
  inFile('pvcalls/requests.ts', COMMANDS)(
    4,
    'answered-twice',
    '  request.reqId = 0;\n  requests.count -= 1;',
    '  requests.count -= 1;',
  ),
  inFile('pvcalls/requests.ts', COMMANDS)(
    4,
    'req-id-without-generation',
    '  requests.generation = (requests.generation + 1) & ((1 << (32 - SLOT_BITS)) - 1) || 1;\n',
    '',
  ),
  inFile('pvcalls/answers.ts', COMMANDS)(
    5,
    'cmd-unchecked',
    '  if (responseCommand(at) != command) return fail(FAULT_CMD, responseCommand(at));\n',
    '',
  ),
  inFile('pvcalls/answers.ts', COMMANDS)(
    5,
    'id-unchecked',
    '  if (responseId(at) != <u64>request.id) return fail(FAULT_ID, <u32>responseId(at));\n',
    '',
  ),
  inFile('pvcalls/answers.ts', COMMANDS)(
    6,
    'ret-unchecked',
    '  if (ret > 0) return fail(FAULT_RET, ret);\n',
    '',
  ),
];

const OF_REQUESTS: readonly Mutant[] = [
  inFile('pvcalls/timers.ts', REQUESTS)(
    7,
    'entry-free-at-deadline',
    '  request.timed = false;\n  if (request.owner == NO_OWNER) return;',
    '  request.timed = false;\n  request.reqId = 0;\n  if (request.owner == NO_OWNER) return;',
  ),
  inFile('pvcalls/requests.ts', REQUESTS)(
    7,
    'entry-free-with-its-socket',
    '      request.owner = <u16>NO_OWNER;\n',
    '      request.reqId = 0;\n',
  ),
  inFile('pvcalls/release.ts', REQUESTS)(
    8,
    'answer-to-the-next-life',
    '  if (socket.inFlight != 0) orphanRequests(indexOf(socket));\n',
    '',
  ),
  inFile('pvcalls/sockets.ts', REQUESTS)(
    8,
    'handle-without-generation',
    'if (socket.state == STATE_FREE || handle >> INDEX_BITS != socket.generation) return null;',
    'if (socket.state == STATE_FREE) return null;',
  ),
  inFile('pvcalls/submit.ts', REQUESTS)(
    17,
    'no-deadline',
    'request.timed = true;',
    'request.timed = false;',
  ),
  inFile('pvcalls/submit.ts', REQUESTS)(
    21,
    'accepts-take-what-connects-need',
    'PASSIVE_MAX: u32 = 24',
    'PASSIVE_MAX: u32 = 32',
  ),
  inFile('pvcalls/submit.ts', REQUESTS)(
    21,
    'connects-take-what-calls-need',
    'LONG_MAX: u32 = 28',
    'LONG_MAX: u32 = 32',
  ),
  inFile('pvcalls/submit.ts', REQUESTS)(
    21,
    'calls-take-what-releases-need',
    'RELEASE_SLOTS: u32 = 2',
    'RELEASE_SLOTS: u32 = 0',
  ),
  inFile('pvcalls/commands.ts', REQUESTS)(
    22,
    'requests-not-zeroed',
    '  memory.fill(at, 0, REQUEST_SIZE);\n',
    '',
  ),
];

const OF_DATA: readonly Mutant[] = [
  inFile('ring/byte-ring.ts', DATA)(9, 'in-prod-beyond', 'ready > ring.size || ', ''),
  inFile('ring/byte-ring.ts', DATA)(
    9,
    'in-prod-back',
    ' || ready < distance(ring.inProd, ring.inCons)',
    '',
  ),
  inFile('ring/byte-ring.ts', DATA)(
    9,
    'out-cons-unchecked',
    '  if (used > distance(ring.outProd, ring.outCons)) return BAD;\n',
    '',
  ),
  inFile('ring/byte-ring.ts', DATA)(
    9,
    'no-wrap',
    'if (ready > ring.size ||',
    'if (prod < ring.inCons || ready > ring.size ||',
  ),
  inFile('ring/byte-ring.ts', DATA)(
    10,
    'out-prod-in-the-page',
    '  ring.outProd += size;',
    '  ring.outProd = loadIndex(ring.page + OUT_PROD) + size;',
  ),
  inFile('ring/byte-ring.ts', DATA)(
    10,
    'in-cons-in-the-page',
    '  ring.inCons += size;',
    '  ring.inCons = loadIndex(ring.page + IN_CONS) + size;',
  ),
  inFile('pvcalls/stream.ts', DATA)(
    12,
    'error-before-data',
    '  if (allowed != 0) return socket;\n  if (socket.inError != 0) {',
    '  if (allowed != 0 && socket.inError == 0) return socket;\n  if (socket.inError != 0) {',
  ),
  inFile('ring/byte-ring.ts', DATA)(
    12,
    'error-not-latched',
    '  if (ring.inError == 0) {',
    '  if (true) {',
  ),
  inFile('pvcalls/ready.ts', DATA)(
    12,
    'out-error-wakes-nobody',
    'socket.outCons) < socket.size || socket.outError != 0)',
    'socket.outCons) < socket.size)',
  ),
  inFile('ring/byte-ring.ts', DATA)(
    12,
    'in-error-unchecked',
    `IN_ERROR);
    if (error > 0) return BAD;`,
    'IN_ERROR);',
  ),
  inFile('ring/byte-ring.ts', DATA)(
    12,
    'out-error-unchecked',
    `OUT_ERROR);
    if (error > 0) return BAD;`,
    'OUT_ERROR);',
  ),
];

const BETWEEN_ACCESSES: readonly Mutant[] = [
  inFile('pvcalls/stream.ts', BETWEEN)(
    13,
    'in-prod-read-twice',
    'allowed = <i32>distance(socket.inProd, socket.inCons);',
    'allowed = <i32>distance(atomic.load<u32>(socket.page + 4), socket.inCons);',
  ),
  inFile('ring/shared-ring.ts', BETWEEN)(
    13,
    'rsp-prod-read-twice',
    '    ring.rspProd = prod;',
    '    ring.rspProd = loadIndex(ring.page + RSP_PROD);',
  ),
  inFile('ring/shared-ring.ts', BETWEEN)(
    16,
    'no-final-check',
    '      prod = loadIndex(ring.page + RSP_PROD); // a response published before rsp_event was seen\n',
    '',
  ),
  inFile('pvcalls/ready.ts', EVENTS)(
    16,
    'ring-looked-at-too-early',
    'if (socket.state == STATE_CONNECTED && socket.error == 0 && look(socket)) {',
    'if (socket.error == 0 && look(socket)) {',
  ),
  inFile('ring/shared-ring.ts', BETWEEN)(
    23,
    'req-event-before-req-prod',
    `  storeIndex(ring.page + REQ_PROD, after); // backend sees the requests before the new index
  return crossed(before, after, loadIndex(ring.page + REQ_EVENT)); // and the index before we look`,
    `  const event = loadIndex(ring.page + REQ_EVENT);
  storeIndex(ring.page + REQ_PROD, after);
  return crossed(before, after, event);`,
  ),
  inFile('ring/byte-ring.ts', BETWEEN)(
    23,
    'room-told-by-the-new-index',
    '(distance(loadIndex(ring.page + IN_PROD), ring.inTold) < ring.size)',
    '(distance(loadIndex(ring.page + IN_PROD), ring.inCons) < ring.size)',
  ),
];

const OF_PAGES: readonly Mutant[] = [
  inFile('pvcalls/rings.ts', PAGES)(
    11,
    'order-read-back',
    '  releaseFrames(socket.page, (1 << socket.order) + 1);',
    '  releaseFrames(socket.page, (1 << load<u32>(socket.page + V1_RING_ORDER)) + 1);',
  ),
  inFile('guest/arena.ts', PAGES)(
    14,
    'busy-grant-taken-for-ended',
    'gnttab_end_access(ref) >= 0) store<u32>(slot, NO_REF);',
    'gnttab_end_access(ref) != 1) store<u32>(slot, NO_REF);',
  ),
  inFile('ring/shared-ring.ts', PAGES)(
    20,
    'command-ring-not-cleared',
    '  memory.fill(page, 0, PAGE_SIZE);\n',
    '',
  ),
  inFile('ring/shared-ring.ts', PAGES)(
    20,
    'req-event-not-1',
    '  storeIndex(page + REQ_EVENT, 1);\n',
    '',
  ),
  inFile('pvcalls/rings.ts', PAGES)(
    20,
    'data-ring-not-cleared',
    'memory.fill(page, 0, count * PAGE_SIZE);',
    '',
  ),
  inFile('pvcalls/release.ts', PAGES)(
    24,
    'refused-yet-kept',
    '(!socket.kept || ret != 0)',
    '!socket.kept',
  ),
  inFile('pvcalls/rings.ts', PAGES)(
    24,
    'not-described-again',
    '  describe(socket, v7);\n',
    '  if (socket.outProd == 0) describe(socket, v7);\n',
  ),
  inFile('pvcalls/rings.ts', PAGES)(
    24,
    'indices-go-on',
    '  byteRingInit(socket, first);',
    '  if (socket.outProd == 0) byteRingInit(socket, first);',
  ),
  inFile('pvcalls/rings.ts', PAGES)(
    25,
    'references-of-16-kib-pages',
    'refOf(socket.data + i * PAGE_SIZE)',
    'refOf(socket.data + i * 16384)',
  ),
  inFile('guest/arena.ts', PAGES)(
    25,
    'frames-of-16-kib-pages',
    '<u32>((arena.first >> PAGE_SHIFT) + frame)',
    '<u32>((((arena.first >> PAGE_SHIFT) + frame) >> 2) << 2)',
  ),
];

const OF_XENBUS: readonly Mutant[] = [
  inFile('pvcalls/phases.ts', XENBUS)(
    18,
    'deaf-while-initialised',
    '    if (gone) close();\n    else if (state == XENBUS_STATE_CONNECTED)',
    '    if (state == XENBUS_STATE_CONNECTED)',
  ),
  inFile('pvcalls/phases.ts', XENBUS)(
    18,
    'deaf-while-connected',
    'if (gone || starting) close();',
    'if (starting) close();',
  ),
  inFile('pvcalls/phases.ts', XENBUS)(
    18,
    'restart-unseen',
    'if (gone || starting) close();',
    'if (gone) close();',
  ),
  inFile('pvcalls/phases.ts', XENBUS)(
    18,
    'any-state-will-do',
    'state < XENBUS_STATE_INIT_WAIT || state > XENBUS_STATE_CONNECTED || device.leftover',
    'device.leftover',
  ),
  inFile('pvcalls/features.ts', XENBUS)(
    19,
    'any-version',
    'return one ? MORE : FAULT_VERSION;',
    'return MORE;',
  ),
  inFile('pvcalls/features.ts', XENBUS)(
    19,
    'any-max-page-order',
    '    if (value == NOT_A_NUMBER || (value == 0 && !offer.v7)) return FAULT_MAX_PAGE_ORDER;\n',
    '',
  ),
  inFile('pvcalls/features.ts', XENBUS)(
    19,
    'any-function-calls',
    'return value == 1 ? MORE : FAULT_FUNCTION_CALLS;',
    'return MORE;',
  ),
  inFile('pvcalls/frontend.ts', XENBUS)(
    19,
    'order-not-bounded',
    'min(maxOrder, RING_ORDER_MAX)',
    'maxOrder',
  ),
  inFile('guest/xenstore.ts', XENBUS)(
    19,
    'text-without-end',
    'return textCount() >= 2 ? STORE_MESSAGE : broken();',
    'return STORE_MESSAGE;',
  ),
  inFile('guest/xenstore.ts', XENBUS)(
    19,
    'store-length-unchecked',
    '  if (size > XENSTORE_PAYLOAD_MAX) return broken();\n',
    '',
  ),
  inFile('guest/xenstore.ts', XENBUS)(
    19,
    'store-index-unchecked',
    '  if (ready > XENSTORE_RING_SIZE) {\n    broken();\n    return false;\n  }\n',
    '',
  ),
  inFile('guest/xenstore.ts', XENBUS)(
    19,
    'reply-to-nobody',
    'if (store_.inId == 0 || slot == 0) return broken();',
    'if (slot == 0) return broken();',
  ),
];

const OF_EVENTS: readonly Mutant[] = [
  inFile('guest/events.ts', EVENTS)(
    15,
    'closed-port-still-owned',
    '  setOwner(port, OWNER_NONE);\n',
    '',
  ),
  inFile('guest/events.ts', EVENTS)(
    15,
    'port-beyond-the-table',
    'return port < EVTCHN_2L_NR_CHANNELS ? load<u16>(events.owners + (port << 1)) : OWNER_NONE;',
    'return load<u16>(events.owners + (port << 1));',
  ),
];

export const MUTANTS: readonly Mutant[] = [
  ...COMMAND_RING,
  ...OF_REQUESTS,
  ...OF_DATA,
  ...BETWEEN_ACCESSES,
  ...OF_PAGES,
  ...OF_XENBUS,
  ...OF_EVENTS,
];
