/** Cores with one check taken out each, for the fuzzer to find. */
import type { Edit } from '../mutants.js';

export type Mutant = Edit & { readonly name: string };

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'rsp_prod may claim any number of responses',
    file: 'assembly/ring/shared-ring.ts',
    find: `    if (distance(prod, ring.rspCons) > distance(ring.reqProd, ring.rspCons))
      return RESPONSE_OVERFLOW;
`,
    replace: '',
  },
  {
    name: 'a req_id is only masked',
    file: 'assembly/pvcalls/requests.ts',
    find: 'return reqId != 0 && request.reqId == reqId ? request : null;',
    replace: 'return request.reqId != 0 ? request : null;',
  },
  {
    name: 'a req_id may be answered twice',
    file: 'assembly/pvcalls/requests.ts',
    find: '  request.reqId = 0;\n',
    replace: '',
  },
  {
    name: 'cmd is not held against the request',
    file: 'assembly/pvcalls/answers.ts',
    find: '  if (responseCommand(at) != command) return fail(FAULT_CMD, responseCommand(at));\n',
    replace: '',
  },
  {
    name: 'half of the id is not looked at',
    file: 'assembly/pvcalls/answers.ts',
    find: 'if (responseId(at) != <u64>request.id)',
    replace: 'if (<u32>responseId(at) != request.id)',
  },
  {
    name: 'ret may be any number',
    file: 'assembly/pvcalls/answers.ts',
    find: '  if (<u32>-ret > ERRNO_MAX) return fail(FAULT_RET, ret);\n',
    replace: '',
  },
  {
    name: 'in_prod may be beyond the ring',
    file: 'assembly/ring/byte-ring.ts',
    find: 'ready > ring.size || ',
    replace: '',
  },
  {
    name: 'in_prod may move back',
    file: 'assembly/ring/byte-ring.ts',
    find: ' || ready < distance(ring.inProd, ring.inCons)',
    replace: '',
  },
  {
    name: 'out_cons may be anywhere',
    file: 'assembly/ring/byte-ring.ts',
    find: '  if (used > distance(ring.outProd, ring.outCons)) return BAD;\n',
    replace: '',
  },
  {
    name: 'in_cons is read back from the page',
    file: 'assembly/ring/byte-ring.ts',
    find: '  ring.inCons = advance(ring.inCons, size);\n',
    replace: '  ring.inCons = advance(loadIndex(ring.page + IN_CONS), size);\n',
  },
  {
    name: 'the order is read back from the page',
    file: 'assembly/pvcalls/rings.ts',
    find: '  releaseFrames(socket.page, (1 << socket.order) + 1);\n  socket.page = 0;',
    replace:
      '  releaseFrames(socket.page, (1 << (load<u32>(socket.data - 3968) & 7)) + 1);\n' +
      '  socket.page = 0;',
  },
  {
    name: 'frames that the peer maps are given out again',
    file: 'assembly/guest/arena.ts',
    find: '    if (load<u32>(arena.refs + (frame << 2)) == NO_REF) giveBack(frame);',
    replace: '    if (true) giveBack(frame);',
  },
  {
    name: 'a slot keeps what it held before',
    file: 'assembly/pvcalls/commands.ts',
    find: '  memory.fill(at, 0, REQUEST_SIZE);\n',
    replace: '',
  },
  {
    name: 'a message of xenstore may be of any size',
    file: 'assembly/guest/xenstore.ts',
    find: '  if (size > XENSTORE_PAYLOAD_MAX) return broken();\n',
    replace: '',
  },
  {
    name: 'the loop over responses does not end',
    file: 'assembly/pvcalls/answers.ts',
    find: '    if (got == 0) break;\n',
    replace: '    if (got == 0) continue;\n',
  },
];
