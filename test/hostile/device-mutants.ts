/** Mutants of what happens between accesses, to pages, in xenstore and with events. */
import { inFile, type Mutant } from './mutant.js';

const PAGES = 'pages.test.ts';
const BETWEEN = 'between.test.ts';
const XENBUS = 'xenbus.test.ts';
const EVENTS = 'events.test.ts';

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
    '      prod = loadIndex(ring.page + RSP_PROD); //',
    '      //',
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
  {
    line: 20,
    name: 'command-ring-not-cleared',
    edits: [
      {
        file: 'assembly/ring/shared-ring.ts',
        find: '  memory.fill(page, 0, PAGE_SIZE);\n',
        replace: '',
      },
      {
        file: 'assembly/guest/offer.ts',
        find: '  memory.fill(page, 0, count',
        replace: '  if (count > 1) memory.fill(page, 0, count',
      },
    ],
    test: PAGES,
  },
  inFile('ring/shared-ring.ts', PAGES)(
    20,
    'req-event-not-1',
    '  storeIndex(page + REQ_EVENT, 1);\n',
    '',
  ),
  inFile('guest/offer.ts', PAGES)(
    20,
    'data-ring-not-cleared',
    'memory.fill(page, 0, count * PAGE_SIZE);',
    'if (count > 1) memory.fill(page, 0, PAGE_SIZE);',
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
    '    if (value == NOT_A_NUMBER || (value == 0 && !v7())) return FAULT_MAX_PAGE_ORDER;\n',
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
  inFile('guest/storm.ts', EVENTS)(
    15,
    'storm-not-masked',
    '  if (count == USELESS_MAX) evtchn_mask(port);\n',
    '',
  ),
  inFile('guest/storm.ts', EVENTS)(
    15,
    'masked-for-ever',
    '  if (masked) evtchn_unmask(port);\n',
    '',
  ),
  inFile('guest/storm.ts', EVENTS)(
    15,
    'mask-outlives-its-port',
    '  resume(port);\n  closePort(port);',
    '  closePort(port);',
  ),
  inFile('guest/storm.ts', EVENTS)(15, 'work-taken-for-storm', 'if (before != work)', 'if (false)'),
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

export const DEVICE_MUTANTS: readonly Mutant[] = [
  ...BETWEEN_ACCESSES,
  ...OF_PAGES,
  ...OF_XENBUS,
  ...OF_EVENTS,
];
