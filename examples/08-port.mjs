// The core in a kernel of one's own: this one supplies memory, grants and event channels, tells the
// core which port fired, and carries the offer itself; its backend echoes. Numbers: docs/abi.md.
import { instantiateCore, loadCore } from 'pvcalls';

const memory = new WebAssembly.Memory({ initial: 16, maximum: 16, shared: true }); // 256 frames
const [words, bytes] = [new Int32Array(memory.buffer), Buffer.from(memory.buffer)];
const word = (address) => words[address >>> 2];
const [INIT, EVENT, TEXT, ARENA] = [0, 64, 128, 4096]; // addresses
const [grants, fired] = [new Map(), []]; // frame by grant reference; ports
let [lastPort, lastRef, page] = [0, 8, 0];

const core = instantiateCore(await loadCore(), memory, {
  evtchn_alloc_unbound: () => ++lastPort,
  evtchn_send: (port) => fired.push(port) && 0, // handled later, never from inside the core
  evtchn_mask: () => 0, // its backend never storms
  evtchn_unmask: () => 0,
  evtchn_close: () => 0,
  gnttab_grant_access: (_domid, frame) => grants.set(++lastRef, frame) && lastRef,
  gnttab_end_access: (ref) => (grants.delete(ref) ? 0 : -22),
});
words.set([ARENA, 255, 16, 0, 0, 0, 0, 0, 2], INIT); // arena, frames, sockets, no xenstore, order 2
console.log(`init: ${core.init(INIT)} frames for rings`);
const ring = grants.get(core.attach_offer(0)) << 12; // xenstore would carry reference and port to
const commandPort = core.attach_port(); //              the backend, and its answer back:
core.attach_connected(4, 0); //                         max-page-order 4, no features

/** The backend's half of the command ring: everything succeeds at once. */
function answer() {
  for (; word(ring + 8) !== word(ring); words[(ring + 8) >>> 2]++) {
    const slot = ring + 64 + (word(ring + 8) & 31) * 64;
    console.log(`backend: ${['SOCKET', 'CONNECT', 'RELEASE'][word(slot + 4)]}`);
    if (word(slot + 4) === 1) page = grants.get(word(slot + 52)) << 12; // the indexes page
    words.set([0, 0, word(slot + 8), word(slot + 12)], (slot + 8) >>> 2); // ret, pad, id
  }
  words[(ring + 4) >>> 2] = word(ring) + 1; // req_event: the next request is to be notified
}
/** Its half of a data ring of order 2: a page of `out` is copied to `in` where indices say. */
function echo() {
  const [outCons, outProd, inProd] = [word(page + 64), word(page + 68), word(page + 4)];
  const [from, to] = [2, 0].map((i) => grants.get(word(page + 132 + i * 4)) << 12);
  bytes.copy(bytes, to + inProd, from + outCons, from + outProd); // short: it does not wrap
  words[(page + 4) >>> 2] = inProd + outProd - outCons;
  words[(page + 64) >>> 2] = outProd;
}

const handle = core.socket(2, 1, 0); // AF_INET, SOCK_STREAM
bytes.set([2, 0, 0, 7, 127, 0, 0, 1], TEXT); // sockaddr_in: 127.0.0.1 port 7
core.connect(handle, TEXT, 16);
for (let port; (port = fired.shift()) !== undefined;) {
  (port === commandPort ? answer : echo)();
  core.handle_event(port); // the backend notifies in turn
  for (let kind; (kind = core.poll_event(EVENT)) !== 0;) {
    if (kind === 2) core.send(handle, TEXT, bytes.write('hi there', TEXT)); // DONE: connected
    const size = kind < 4 ? core.recv(handle, TEXT, 64, 0) : 0; // EAGAIN (-11) arms READY
    if (size > 0) console.log(`read: ${bytes.subarray(TEXT, TEXT + size)}`);
    if (size > 0) core.close(handle);
    if (kind === 4) core.attach_detached(); // CLOSED
  }
}
console.log(`closed, ${grants.size} grants left`);
