/**
 * The core as a WebAssembly component: build/component/pvcalls.wasm from the core and
 * host/component/wit, and beside it what jco makes of it for JavaScript: pvcalls.js,
 * pvcalls.core.wasm and typed bindings with the words of the WIT.
 *
 * AssemblyScript cannot write the names that components have (`xen:pvcalls/frontend#poll-event`):
 * the core is compiled with its own, and its text is changed. docs/decisions/014.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

import { Failure } from './report.mjs';
import { ROOT } from './run.mjs';

/** Where everything of the component goes. */
export const COMPONENT = 'build/component';
const NAME = 'pvcalls';
const WIT = `${ROOT}host/component/wit`;
const WORLD = 'guest';

/** What the component is made of: the core, compiled for it, and its text. */
export const COMPONENT_CORE = 'build/component-core';

/** @param {string} name */
const kebab = (name) => name.replaceAll('_', '-');

/**
 * Gives imports and exports the names that the WIT gives them.
 *
 * @param {string} text Of the core, as wabt prints it.
 */
function rename(text) {
  return text
    .replace(
      /\(import "hypercalls" "(\w+)"/g,
      (_, name) => `(import "xen:pvcalls/hypercalls" "${kebab(name)}"`,
    )
    .replace(
      /\(export "(\w+)" \(func/g,
      (_, name) => `(export "xen:pvcalls/frontend#${kebab(name)}" (func`,
    );
}

/** @param {Uint8Array} binary The core. @returns {Promise<Uint8Array>} The core, renamed. */
async function renamed(binary) {
  const { default: wabt } = await import('wabt');
  const { readWasm, parseWat } = await wabt();
  const text = rename(readWasm(binary, {}).toText({}));
  return parseWat('core.wat', text).toBinary({}).buffer;
}

/** Makes the component and its bindings of COMPONENT_CORE. */
export async function makeComponent() {
  const jco = await import('@bytecodealliance/jco');
  const core = Uint8Array.from(readFileSync(`${ROOT}${COMPONENT_CORE}.wasm`));
  try {
    const witSource = readFileSync(`${WIT}/pvcalls.wit`, 'utf8');
    const binary = await renamed(core);
    const embedded = await jco.componentEmbed({ binary, witSource, worldName: WORLD });
    const component = await jco.componentNew(embedded, []);
    const options = { name: NAME, instantiation: 'sync' };
    const made = await jco.transpile(component, { ...options, base64Cutoff: 0 });
    // The types come from the WIT and not from the component, which has lost its comments.
    const types = await jco.types(WIT, { ...options, worldName: WORLD });
    const code = Object.entries(made.files).filter(([file]) => !file.endsWith('.d.ts'));
    const whole = { [`${NAME}.wasm`]: component, [`${NAME}.wit`]: witSource };
    writeAll([...Object.entries(whole), ...code, ...Object.entries(types)]);
  } catch (error) {
    throw new Failure('The component could not be made.', { output: String(error) });
  }
}

/** @param {[string, string | Uint8Array][]} files */
function writeAll(files) {
  rmSync(`${ROOT}${COMPONENT}/interfaces`, { recursive: true, force: true });
  for (const [file, content] of files) {
    const path = `${ROOT}${COMPONENT}/${file}`;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
}
