/**
 * The soak as a program: `npm run test:long` runs it for ten minutes, or for PVCALLS_SOAK_SECONDS.
 * Progress is for a person at a terminal; what came out is one line, and the exit code.
 */
import { inMiB, soak, type Account, type Sample } from './soak.js';

const SECONDS = Number(process.env['PVCALLS_SOAK_SECONDS'] ?? 600);
if (!(SECONDS > 0)) throw new RangeError('PVCALLS_SOAK_SECONDS is no number of seconds');
const SAMPLES = Math.max(24, Math.ceil(SECONDS / 5));

const terminal = process.stderr.isTTY;

function progress({ bytes, sockets }: Account, { atSeconds, heap, rss }: Sample): void {
  if (!terminal) return;
  process.stderr.write(
    `\rsoak: ${atSeconds.toFixed(0)} of ${SECONDS} s, ${inMiB(bytes)}, ${sockets} sockets, ` +
      `heap ${inMiB(heap)}, resident ${inMiB(rss)} `,
  );
}

const { account, heapGrowth, rssGrowth, complaints } = await soak({
  seconds: SECONDS,
  samples: SAMPLES,
  progress,
});
if (terminal) process.stderr.write('\n');
const { bytes, trips, sockets, aborted } = account;
console.log(
  `soak: ${SECONDS} s, ${inMiB(bytes)} (${inMiB(bytes / SECONDS)}/s), ${trips} round trips, ` +
    `${sockets} sockets, ${aborted} aborted; heap ${inMiB(heapGrowth)}, ` +
    `resident ${inMiB(rssGrowth)} more than after warming up`,
);
for (const complaint of complaints) console.error(`soak: ${complaint}`);
process.exitCode = complaints.length > 0 ? 1 : 0;
