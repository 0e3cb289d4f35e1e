/** Mutants of what looks at the command ring and at data rings. */
import { inFile, type Mutant } from './mutant.js';

const COMMANDS = 'command-ring.test.ts';
const REQUESTS = 'requests.test.ts';
const DATA = 'data-ring.test.ts';
const BETWEEN = 'between.test.ts';

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
    '  request.reqId = 0;\n  countLong(',
    '  countLong(',
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
    '  if (<u32>-ret > ERRNO_MAX) return fail(FAULT_RET, ret);\n',
    '',
  ),
  inFile('pvcalls/answers.ts', COMMANDS)(
    6,
    'ret-below-every-errno',
    'if (<u32>-ret > ERRNO_MAX)',
    'if (ret > 0)',
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
    ' || handle >> INDEX_BITS != socket.generation',
    '',
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
    'ring.outProd = advance(ring.outProd, size);',
    'ring.outProd = advance(loadIndex(ring.page + OUT_PROD), size);',
  ),
  inFile('ring/byte-ring.ts', DATA)(
    10,
    'in-cons-in-the-page',
    'ring.inCons = advance(ring.inCons, size);',
    'ring.inCons = advance(loadIndex(ring.page + IN_CONS), size);',
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
    if (<u32>-error > ERRNO_MAX) return BAD;`,
    'IN_ERROR);',
  ),
  inFile('ring/byte-ring.ts', DATA)(
    12,
    'in-error-below-every-errno',
    `IN_ERROR);
    if (<u32>-error > ERRNO_MAX)`,
    'IN_ERROR);\n    if (error > 0)',
  ),
  inFile('ring/byte-ring.ts', DATA)(
    12,
    'out-error-unchecked',
    `OUT_ERROR);
    if (<u32>-error > ERRNO_MAX) return BAD;`,
    'OUT_ERROR);',
  ),
  inFile('ring/byte-ring.ts', DATA)(
    12,
    'out-error-below-every-errno',
    `OUT_ERROR);
    if (<u32>-error > ERRNO_MAX)`,
    'OUT_ERROR);\n    if (error > 0)',
  ),
];

export const RING_MUTANTS: readonly Mutant[] = [...COMMAND_RING, ...OF_REQUESTS, ...OF_DATA];
