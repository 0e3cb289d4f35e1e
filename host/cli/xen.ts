/**
 * `xen`: guest images under real Xen, in QEMU, with the console in front of whoever asked. The
 * runners are those of host/metal; this file chooses one, shows what comes, and says how it ended.
 */
import { ConsoleLines } from './console-lines.js';
import { Failure, UsageError } from './failure.js';
import { failureOfMetal, importMetal, readImage, type Image } from './metal.js';
import { OUTPUT_OPTIONS } from './options.js';
import type { Invocation, Verb } from './verb.js';

/** What `timeout` of coreutils ends with, too. */
const TIME_LIMIT_CAME = 124;
const DOM0LESS_SECONDS = 60;
const DOM0_SECONDS = 120;

const DEFAULT_GIC = '3';
/** With more than 1024 characters, semihosting= included, Xen stops before it has a console. */
const BOOTARGS_MAX = 1000;
/** Name of the guest that xl creates. */
const GUEST = 'guest';
/** How Xen numbers the ways a domain shuts down; 0 is the one that is meant. */
const SHUTDOWN_REASONS = ['power-off', 'reboot', 'suspend', 'crash', 'watchdog'];

export const xenVerb: Verb = {
  name: 'xen',
  summary: 'boot guest images under real Xen, in QEMU',
  usage: 'IMAGE [IMAGE2]',
  about: `Boots one or two flat arm64 images as Dom0less guests, domains 1 and 2, which may reach
each other; with --dom0, one image through xl, with a pvcalls device that Linux's own backend in
dom0 serves. From the repository only, after \`npm run xen:setup\`.

The console goes to stdout, in whole lines; with --dom0, that of the guest, and that of Xen and dom0
to stderr. With --json, each line is an object, and a last one says how it ended.

--bootargs may be given once for each image, in their order; a single one is for all. Without dom0,
semihosting=on is added for the first image, which ends the machine when it ends, and
semihosting=failures for the second, which does when it fails, unless the text has semihosting=.

With --dom0 --job, dom0 does a piece of shell while the guest, called guest, runs, and ends with
it; await_line guest SECONDS TEXT waits for a line of it, await_guest guest SECONDS for its end.
What the job prints goes to stderr, and its exit code is that of this command.

Ends with the guest's exit code (with --dom0, 0 after power-off and 1 after anything else), 124 when
the time limit came, 2 when something is missing; stderr says which.`,
  examples: [
    'xen --timeout 10 guest.img',
    'xen --bootargs "role=receiver peer=2" --bootargs "role=sender peer=1" pair.img pair.img',
    'xen --dom0 --gic 2 guest.img',
    "xen --dom0 http.img --job 'await_line guest 60 serving; wget -qO- 127.0.0.1:8080/'",
  ],
  options: ['dom0', 'gic', 'timeout', 'bootargs', 'job', ...OUTPUT_OPTIONS],
  arguments: [1, 2],
  run,
};

/** How the machine ended; no exit code: its time was up. */
interface Ended {
  readonly exitCode: number | undefined;
  /** More to say of it. */
  readonly because?: string;
}

interface Boot {
  readonly images: readonly Image[];
  readonly bootargs: readonly string[];
  /** Shell. */
  readonly job: string | undefined;
  readonly gic: 2 | 3;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Results and what is about them: the lines of a guest, and those of Xen and dom0. */
  readonly lines: Record<'console' | 'dom0', ConsoleLines>;
}

async function run(invocation: Invocation): Promise<number> {
  const { output, stop } = invocation;
  const boot = prepare(invocation);
  const started = performance.now();
  let ended: Ended;
  try {
    ended = await (invocation.options.dom0 ? bootDom0(boot) : bootDom0less(boot));
  } catch (error) {
    if (!stop.signal.aborted) throw failureOfMetal(error);
    ended = { exitCode: undefined };
  } finally {
    for (const lines of Object.values(boot.lines)) lines.end();
  }
  // An interrupt from a terminal reaches QEMU as well, which may have ended by itself, with 0.
  if (stop.signal.aborted) return stop.exitCode ?? 0;
  const elapsedMs = Math.round(performance.now() - started);
  const exitCode = ended.exitCode ?? TIME_LIMIT_CAME;
  const timedOut = ended.exitCode === undefined;
  if (output.json) output.result('', { event: 'ended', exitCode, timedOut, elapsedMs });
  if (timedOut) {
    output.warn(`the time limit of ${boot.timeoutMs / 1000} s came; --timeout SECONDS changes it`);
  } else {
    const more = ended.because === undefined ? '' : `: ${ended.because}`;
    output.note(`exit code ${exitCode} after ${(elapsedMs / 1000).toFixed(1)} s${more}`);
  }
  return exitCode;
}

/** Checks all that was given. */
function prepare({ options, positionals, output, stop }: Invocation): Boot {
  const { dom0, gic = DEFAULT_GIC, bootargs, job } = options;
  if (dom0 && positionals.length > 1) throw new UsageError('--dom0 takes one image, not 2');
  if (job !== undefined && !dom0) throw new UsageError('--job is for --dom0, which is not given');
  checkBootargs(bootargs, positionals.length);
  const seconds = options.timeoutSeconds ?? (dom0 ? DOM0_SECONDS : DOM0LESS_SECONDS);
  const show = (from: string) => (text: string) => {
    if (output.json) output.result('', { event: 'line', from, text });
    else if (from === 'dom0') output.note(text);
    else output.result(text, undefined);
  };
  return {
    images: positionals.map(readImage),
    bootargs: positionals.map((_, index) => bootargs[index] ?? bootargs[0] ?? ''),
    job,
    gic: gic === '2' ? 2 : 3,
    timeoutMs: seconds * 1000,
    signal: stop.signal,
    lines: {
      console: new ConsoleLines(show('console')),
      dom0: new ConsoleLines(show('dom0')),
    },
  };
}

function checkBootargs(bootargs: readonly string[], images: number): void {
  if (bootargs.length > images) {
    throw new UsageError('there are more --bootargs than images');
  }
  const long = bootargs.find(({ length }) => length > BOOTARGS_MAX);
  if (long !== undefined) {
    throw new UsageError(
      `--bootargs has ${long.length} characters; it takes up to ${BOOTARGS_MAX}`,
    );
  }
  const unusable = bootargs.find((text) => /["\\]|[^ -~]/.test(text));
  if (unusable !== undefined) {
    throw new UsageError(
      `--bootargs is ${JSON.stringify(unusable)}; it takes printable ASCII without " and \\`,
    );
  }
}

/** Without these, an emulator would not learn that a guest ended. */
function withSemihosting(bootargs: string, index: number): string {
  if (/(^| )semihosting=/.test(bootargs)) return bootargs;
  return `semihosting=${index === 0 ? 'on' : 'failures'} ${bootargs}`.trim();
}

async function bootDom0less(boot: Boot): Promise<Ended> {
  const { images, bootargs, timeoutMs, lines, ...rest } = boot;
  const { requireXen } = await importMetal('setup.mjs');
  const { runDom0less } = await importMetal('qemu.mjs');
  requireXen();
  const outcome = await runDom0less({
    gic: rest.gic,
    signal: rest.signal,
    guests: images.map(({ path }, index) => ({
      image: path,
      bootargs: withSemihosting(bootargs[index] ?? '', index),
    })),
    timeLimitMs: timeoutMs,
    onConsole: (text) => lines.console.take(text),
  });
  const { exitCode, console, milliseconds } = outcome;
  // Xen reboots after a panic, and QEMU, told not to, ends with 0.
  if (/^\(XEN\) Panic on CPU/m.test(console)) {
    throw new Failure('Xen panicked: its last lines say why');
  }
  if (exitCode === undefined && milliseconds < timeoutMs && !rest.signal.aborted) {
    throw new Failure('QEMU was killed before the guest ended');
  }
  return { exitCode };
}

/** Shell for dom0; the job may go wrong, and the run goes on to say so. */
function dom0Job(job: string): string {
  return `start_guest ${GUEST}\n(\n${job}\n)\necho $? >/results/job\n`;
}

async function bootDom0(boot: Boot): Promise<Ended> {
  const { images, bootargs, job, gic, timeoutMs, signal, lines } = boot;
  const { runDom0 } = await importMetal('dom0/run.mjs');
  const { done, timedOut, files } = await runDom0({
    guests: images.map(({ bytes }, index) => ({
      name: GUEST,
      image: bytes,
      config: [`extra = "${bootargs[index] ?? ''}"`],
    })),
    ...(job !== undefined && { job: dom0Job(job) }),
    gic,
    timeoutMs,
    signal,
    onDom0Console: (bytes) => lines.dom0.take(bytes),
    onGuestConsole: (bytes) => lines.console.take(bytes),
  });
  if (timedOut) return { exitCode: undefined };
  if (!done) {
    const end = files.get('end')?.toString().trim() ?? 'it switched off early';
    throw new Failure(
      `dom0 did not run the guest (${end}); its console says more, without --quiet`,
    );
  }
  const code = files.get('job')?.toString();
  if (code !== undefined) return { exitCode: Number(code), because: 'as the job ended' };
  const xl = files.get(`${GUEST}.xl`)?.toString() ?? '';
  const reason = /has shut down, reason code (\d+)/.exec(xl)?.[1];
  if (reason === undefined) {
    throw new Failure(`xl did not run the guest: ${xl.trim().split('\n').at(-1) || 'no word'}`);
  }
  const name = SHUTDOWN_REASONS[Number(reason)] ?? `reason ${reason}`;
  return { exitCode: reason === '0' ? 0 : 1, because: `the guest's end was ${name}` };
}
