/** Starts other programs: quietly, with their output kept for a failure, or with ours inherited. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { Failure } from './report.mjs';

/** The repository, or the installed package. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** @typedef {{ env?: NodeJS.ProcessEnv, cwd?: string, input?: string }} RunOptions */

/**
 * Runs a tool and keeps its output. Result: its stdout.
 *
 * @param {string} failed The sentence for a person when it fails.
 * @param {string} command
 * @param {string[]} args
 * @param {RunOptions} [options]
 * @returns {Promise<string>}
 */
export function run(failed, command, args, { env = process.env, cwd = ROOT, input } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, cwd, stdio: 'pipe' });
    let stdout = '';
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
      output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
    child.on('error', (error) => reject(new Failure(failed, { output: error.message })));
    child.on('close', (code) => {
      if (code === 0) resolve(stdout);
      else reject(new Failure(failed, { output }));
    });
    child.stdin.on('error', () => {}); // a tool may end without reading what it is given
    child.stdin.end(input);
  });
}

/**
 * Runs a tool in the foreground: its input and output are ours. Result: its exit code.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {RunOptions} [options]
 * @returns {Promise<number>}
 */
export function show(command, args, { env = process.env, cwd = ROOT } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, cwd, stdio: 'inherit' });
    const pass = (/** @type {NodeJS.Signals} */ signal) => child.kill(signal);
    process.on('SIGINT', pass).on('SIGTERM', pass);
    const done = () => process.off('SIGINT', pass).off('SIGTERM', pass);
    child.on('error', (error) => {
      done();
      reject(new Failure(`${command} could not be started: ${error.message}.`));
    });
    child.on('close', (code, signal) => {
      done();
      resolve(signal === 'SIGINT' ? 130 : signal === 'SIGTERM' ? 143 : (code ?? 1));
    });
  });
}

/**
 * Path of a program that a development dependency brings.
 *
 * @param {string} file Below node_modules.
 */
export const inModules = (file) => `${ROOT}node_modules/${file}`;
