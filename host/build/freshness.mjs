/**
 * Decides what has to be built again: a step is fresh when its outputs exist and the contents of
 * its inputs are those it was last made from. The record is build/.made.json.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';

import { ROOT } from './run.mjs';

const RECORD = `${ROOT}build/.made.json`;

/**
 * Files below a path of the repository, in a fixed order; a file is itself.
 *
 * @param {string} path
 * @returns {string[]}
 */
export function filesBelow(path) {
  const full = ROOT + path;
  if (!existsSync(full)) return [];
  if (!statSync(full).isDirectory()) return [path];
  return readdirSync(full)
    .sort()
    .flatMap((name) => filesBelow(`${path}/${name}`));
}

/** @param {string[]} paths */
function hashOf(paths) {
  const hash = createHash('sha256');
  for (const file of paths.flatMap(filesBelow)) {
    hash.update(`${file}\0`).update(readFileSync(ROOT + file));
  }
  return hash.digest('hex');
}

/** @returns {Record<string, string>} */
function record() {
  try {
    return JSON.parse(readFileSync(RECORD, 'utf8'));
  } catch {
    return {};
  }
}

/**
 * @param {string} name
 * @param {{ inputs: string[], outputs: string[] }} step
 */
export function isFresh(name, { inputs, outputs }) {
  return record()[name] === hashOf(inputs) && outputs.every((path) => existsSync(ROOT + path));
}

/**
 * Makes a step and notes the inputs as they were before it began: an edit meanwhile is not lost.
 *
 * @param {string} name
 * @param {{ inputs: string[], make: () => Promise<void> }} step
 */
export async function makeAndNote(name, { inputs, make }) {
  const hash = hashOf(inputs);
  mkdirSync(`${ROOT}build`, { recursive: true });
  await make();
  writeFileSync(RECORD, JSON.stringify({ ...record(), [name]: hash }, undefined, 2));
}
