/** Mistakes that ring code can have, each with the exploration and the property that see it. */
import type { Edit } from '../mutants.js';
import { EAGER, SETTINGS, type Setting } from './settings.js';

export interface RingMutant extends Edit {
  readonly name: string;
  readonly seenBy: Setting;
  readonly property: string;
}

const SHARED_RING = 'assembly/ring/shared-ring.ts';
const BYTE_RING = 'assembly/ring/byte-ring.ts';
const RESPONSE_LATER =
  '      prod = loadIndex(ring.page + RSP_PROD); // a response published before rsp_event was seen';

export const RING_MUTANTS: readonly RingMutant[] = [
  {
    name: 'requests are published before they are copied',
    file: SHARED_RING,
    find: '  copyToShared(slotAddress(ring, ring.reqProdPvt), request, SLOT_SIZE);',
    replace:
      '  storeIndex(ring.page + REQ_PROD, advance(ring.reqProdPvt, 1));\n' +
      '  copyToShared(slotAddress(ring, ring.reqProdPvt), request, SLOT_SIZE);',
    seenBy: SETTINGS.commandsXen,
    property: 'the backend sees half a request',
  },
  {
    name: 'no second look after rsp_event',
    file: SHARED_RING,
    find: RESPONSE_LATER,
    replace: '',
    seenBy: SETTINGS.commandsXen,
    property: 'the core sleeps, and a response waits',
  },
  {
    name: 'req_event is read before req_prod is published',
    file: SHARED_RING,
    find: '  storeIndex(ring.page + REQ_PROD, after); // backend sees the requests before the new',
    replace:
      '  const event = loadIndex(ring.page + REQ_EVENT);\n' +
      '  storeIndex(ring.page + REQ_PROD, after);\n' +
      '  if (before != after) return crossed(before, after, event); //',
    seenBy: SETTINGS.commandsXen,
    property: 'the backend sleeps, and a request waits',
  },
  {
    name: 'rsp_event asks for the response after the next',
    file: SHARED_RING,
    find: 'storeIndex(ring.page + RSP_EVENT, next);',
    replace: 'storeIndex(ring.page + RSP_EVENT, advance(next, 1));',
    seenBy: SETTINGS.commandsXen,
    property: 'the core sleeps, and a response waits',
  },
  {
    name: 'a slot is free before its response was copied',
    file: SHARED_RING,
    find: '  return distance(ring.reqProdPvt, ring.rspCons);',
    replace: '  return distance(ring.reqProdPvt, ring.rspProd);',
    seenBy: EAGER,
    property: 'writes a slot that was not answered',
  },
  {
    name: 'responses are taken without a bound',
    file: SHARED_RING,
    find: '    if (distance(prod, ring.rspCons) > distance(ring.reqProd, ring.rspCons))',
    replace: '    if (false)',
    seenBy: SETTINGS.hostileCommands,
    property: 'takes a response that nobody owes',
  },
  {
    name: 'rsp_prod is read twice',
    file: SHARED_RING,
    find: '    ring.rspProd = prod;',
    replace: '    ring.rspProd = loadIndex(ring.page + RSP_PROD);',
    seenBy: SETTINGS.hostileCommands,
    property: 'takes a response that nobody owes',
  },
  {
    name: 'out_prod is published before the bytes are copied',
    file: BYTE_RING,
    find: '  copyToRing(ring.data + ring.size, ring.size, ring.outProd + skip, from, size);',
    replace:
      '  storeIndex(ring.page + OUT_PROD, advance(ring.outProd, skip + size));\n' +
      '  copyToRing(ring.data + ring.size, ring.size, ring.outProd + skip, from, size);',
    seenBy: SETTINGS.outLinux,
    property: 'a byte is lost, invented or too early',
  },
  {
    name: 'in_cons is published before the bytes are copied',
    file: BYTE_RING,
    find: '  copyFromRing(ring.data, ring.size, ring.inCons + skip, to, size);',
    replace:
      '  storeIndex(ring.page + IN_CONS, advance(ring.inCons, skip + size));\n' +
      '  copyFromRing(ring.data, ring.size, ring.inCons + skip, to, size);',
    seenBy: SETTINGS.inLinux,
    property: 'a byte is lost, invented or too early',
  },
  {
    name: 'the consumer keeps quiet when the ring was just full',
    file: BYTE_RING,
    find: '  if (distance(loadIndex(ring.page + IN_PROD), ring.inTold) < ring.size) return false;',
    replace:
      '  if (distance(loadIndex(ring.page + IN_PROD), ring.inTold) <= ring.size) return false;',
    seenBy: SETTINGS.inSpec,
    property: 'both sleep, and there is room for bytes that wait',
  },
  {
    name: 'the consumer notifies by its own last index',
    file: BYTE_RING,
    find: '  if (distance(loadIndex(ring.page + IN_PROD), ring.inTold) < ring.size) return false;',
    replace:
      '  const old = ring.inCons - size;\n' +
      '  if (distance(loadIndex(ring.page + IN_PROD), old) < ring.size) return false;',
    seenBy: SETTINGS.inLinux,
    property: 'both sleep, and there is room for bytes that wait',
  },
  {
    name: 'in_prod is read twice',
    file: BYTE_RING,
    find: '  ring.inProd = prod;',
    replace: '  ring.inProd = loadIndex(ring.page + IN_PROD);',
    seenBy: SETTINGS.hostileIn,
    property: 'more bytes than the ring has',
  },
  {
    name: 'in_prod has no bound',
    file: BYTE_RING,
    find: '  if (ready > ring.size || ready < distance(ring.inProd, ring.inCons)) return BAD;',
    replace: '  if (ready < distance(ring.inProd, ring.inCons)) return BAD;',
    seenBy: SETTINGS.hostileIn,
    property: 'more bytes than the ring has',
  },
  {
    name: 'in_prod may go back',
    file: BYTE_RING,
    find: '  if (ready > ring.size || ready < distance(ring.inProd, ring.inCons)) return BAD;',
    replace: '  if (ready > ring.size) return BAD;',
    seenBy: SETTINGS.hostileIn,
    property: 'an index went back, and was believed',
  },
  {
    name: 'out_cons has no bound',
    file: BYTE_RING,
    find: '  if (used > distance(ring.outProd, ring.outCons)) return BAD;',
    replace: '',
    seenBy: SETTINGS.hostileOut,
    property: 'more bytes than the ring has',
  },
  {
    name: 'our own in_cons is read back',
    file: BYTE_RING,
    find: '  ring.inCons = advance(ring.inCons, size);',
    replace: '  ring.inCons = advance(loadIndex(ring.page + IN_CONS), size);',
    seenBy: SETTINGS.hostileIn,
    property: 'the core publishes what is not its index',
  },
  {
    name: 'in_error is not latched',
    file: BYTE_RING,
    find: '  if (ring.inError == 0) {',
    replace: '  {',
    seenBy: SETTINGS.hostileIn,
    property: 'a latched error has changed',
  },
];
