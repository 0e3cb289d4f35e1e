/** Mistakes of the core above its rings, each with the property of its scenario that sees it. */
import type { Edit } from '../mutants.js';
import { CORE, CORE_LINUX, type Setting } from './settings.js';

export interface CoreMutant {
  readonly name: string;
  readonly edits: readonly Edit[];
  readonly seenBy: Setting;
  readonly property: string;
}

const STREAM = 'assembly/pvcalls/stream.ts';
const READY = 'assembly/pvcalls/ready.ts';
const SLEEP = 'both sleep, and the work is not done';
const IN_ERROR_FIRST =
  '  if (loadInError(socket) == BAD) return faulty(socket, FAULT_IN_ERROR, IN_ERROR);\n';
const IN_PROD_NEXT =
  '  if (readable(socket) == BAD) return faulty(socket, FAULT_IN_PROD, IN_PROD);\n';

export const CORE_MUTANTS: readonly CoreMutant[] = [
  {
    name: 'the producer notifies only when the ring was empty',
    edits: [
      {
        file: STREAM,
        find: '  publishOut(socket, size);\n  notify(socket.port);',
        replace:
          '  const empty = socket.outCons == socket.outProd;\n' +
          '  publishOut(socket, size);\n  if (empty) notify(socket.port);',
      },
    ],
    seenBy: CORE_LINUX,
    property: SLEEP,
  },
  {
    name: 'the consumer notifies before it publishes',
    edits: [
      {
        file: STREAM,
        find: '  if (consumeIn(socket, size) && socket.error == 0) notify(socket.port);',
        replace: '  notify(socket.port);\n  consumeIn(socket, size);',
      },
    ],
    seenBy: CORE,
    property: SLEEP,
  },
  {
    name: 'in_error is looked at after in_prod',
    edits: [
      { file: READY, find: IN_ERROR_FIRST, replace: '' },
      { file: READY, find: IN_PROD_NEXT, replace: IN_PROD_NEXT + IN_ERROR_FIRST },
    ],
    seenBy: CORE,
    property: 'the stream ends before its last byte',
  },
  {
    name: 'EAGAIN of send() asks for no event',
    edits: [{ file: STREAM, find: '  socket.armed |= <u8>POLLOUT;\n', replace: '' }],
    seenBy: CORE,
    property: SLEEP,
  },
  {
    name: 'one response is taken for each event',
    edits: [
      {
        file: 'assembly/pvcalls/answers.ts',
        find: '    handleResponse(frontend.scratch);\n',
        replace: '    handleResponse(frontend.scratch);\n    break;\n',
      },
    ],
    seenBy: CORE,
    property: SLEEP,
  },
  {
    name: 'grants end before RELEASE is answered',
    edits: [
      {
        file: 'assembly/pvcalls/release.ts',
        find: '  else want(socket, LIST_RELEASE);',
        replace: '  else {\n    dropRing(socket);\n    want(socket, LIST_RELEASE);\n  }',
      },
    ],
    seenBy: CORE,
    property: 'a grant is ended while the backend maps it',
  },
];
