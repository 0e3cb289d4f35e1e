/**
 * Makes test/vectors/layout.json from test/vectors/*.c and the headers of libxen-dev:
 * `npm run vectors` writes it, `npm run test:native` makes it again and compares.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';

import { NATIVE_TOOLS, requireTools } from './tools.mjs';
import { ROOT, run } from './run.mjs';

export const LAYOUT_JSON = `${ROOT}test/vectors/layout.json`;
const OUT = `${ROOT}build/vectors`;
const RECORD_SIZE = 128;
const TEXT_SIZE = 120;

/** @typedef {Record<string, number>} Values An expression of C -> what it is. */
/** @typedef {Record<string, number | Record<string, number>>} Constants By architecture. */

/** Architecture -> its compiler. arm64 has no C library here, and needs none. */
const COMPILERS = {
  'x86-64': { prefix: '', flags: [] },
  arm64: { prefix: 'aarch64-linux-gnu-', flags: ['-ffreestanding', '-idirafter', '/usr/include'] },
};

/**
 * The records that layout.c leaves in a section of its object.
 *
 * @param {keyof typeof COMPILERS} architecture
 * @returns {Promise<Values>}
 */
async function valuesOn(architecture) {
  const { prefix, flags } = COMPILERS[architecture];
  const object = `${OUT}/layout-${architecture}.o`;
  const binary = `${OUT}/layout-${architecture}.bin`;
  const failed = `test/vectors/layout.c does not compile for ${architecture}.`;
  const source = 'test/vectors/layout.c';
  await run(failed, `${prefix}gcc`, ['-std=gnu11', ...flags, '-c', source, '-o', object]);
  await run(failed, `${prefix}objcopy`, [
    '--output-target=binary',
    '--only-section=vectors',
    object,
    binary,
  ]);
  const bytes = readFileSync(binary);
  /** @type {Values} */
  const values = {};
  for (let at = 0; at < bytes.length; at += RECORD_SIZE) {
    const text = bytes.toString('latin1', at, at + TEXT_SIZE).replace(/\0.*$/s, '');
    if (text !== '') values[text] = Number(bytes.readBigUInt64LE(at + TEXT_SIZE));
  }
  return values;
}

/** @returns {Promise<Constants>} */
async function constants() {
  const [x86, arm] = await Promise.all([valuesOn('x86-64'), valuesOn('arm64')]);
  return Object.fromEntries(
    Object.keys(x86).map((text) => {
      const [x, a] = [x86[text] ?? 0, arm[text]];
      return [text, a === undefined || a === x ? x : { 'x86-64': x, arm64: a }];
    }),
  );
}

/** Path of the compiled ring-macros.c. @returns {Promise<string>} */
export async function compileRingMacros() {
  requireTools(NATIVE_TOOLS);
  mkdirSync(OUT, { recursive: true });
  const program = `${OUT}/ring-macros`;
  await run('test/vectors/ring-macros.c does not compile.', 'gcc', [
    '-std=gnu11',
    '-O2',
    'test/vectors/ring-macros.c',
    '-o',
    program,
  ]);
  return program;
}

/**
 * Asks Xen's macros. A question is `what a b c d`, see ring-macros.c.
 *
 * @param {string} program What compileRingMacros() gave.
 * @param {string[]} questions
 * @returns {Promise<string[]>} One answer each.
 */
export async function askRingMacros(program, questions) {
  const input = `${questions.join('\n')}\n`;
  const answers = (await run('ring-macros failed.', program, [], { input })).trimEnd().split('\n');
  if (answers.length !== questions.length) throw new Error('ring-macros left questions open');
  return answers;
}

/** Questions whose answers are committed: the edges, and where indices wrap. */
function examples() {
  const edges = [0, 1, 31, 32, 33, 0x7fffffff, 0x80000000, 0xffffffe0, 0xffffffff];
  const questions = [];
  for (const old of edges) {
    for (const count of [0, 1, 31, 32]) {
      for (const ahead of [0, 1, 2, 32, 33, 0x80000000]) {
        questions.push(`push ${old} ${(old + count) >>> 0} ${(old + ahead) >>> 0} 0`);
      }
      questions.push(`final ${(old + count) >>> 0} ${old} 0 0`);
      questions.push(`front ${(old + count) >>> 0} ${old} ${(old + 33) >>> 0} 0`);
    }
    for (const size of [2048, 1048576]) {
      for (const count of [0, 1, size - 1, size]) {
        questions.push(`queued ${(old + count) >>> 0} ${old} ${size} 0`);
      }
      questions.push(`write ${old} ${old} ${size} 100`);
      questions.push(`read ${(old + 100) >>> 0} ${old} ${size} 100`);
    }
  }
  for (let order = 0; order <= 9; order++) questions.push(`size ${order} 0 0 0`);
  return questions;
}

/** @param {string} command @param {string[]} args */
async function firstLine(command, args) {
  const output = await run(`${command} does not answer.`, command, args);
  return output.split('\n')[0] ?? '';
}

/** The text of layout.json, as this machine makes it. */
export async function makeVectors() {
  const program = await compileRingMacros();
  const questions = examples();
  const answers = await askRingMacros(program, questions);
  return `${JSON.stringify(
    {
      'libxen-dev': await firstLine('dpkg-query', ['-W', '-f', '${Version}', 'libxen-dev']),
      gcc: await firstLine('gcc', ['--version']),
      'aarch64-linux-gnu-gcc': await firstLine('aarch64-linux-gnu-gcc', ['--version']),
      constants: await constants(),
      macros: Object.fromEntries(questions.map((question, i) => [question, answers[i]])),
    },
    undefined,
    1,
  )}\n`;
}

/** `npm run vectors`. @returns {Promise<number>} */
export async function writeVectors() {
  writeFileSync(LAYOUT_JSON, await makeVectors());
  return 0;
}
