/**
 * What builds and boots images: host/metal of the repository. It is not in the package, because it
 * works with what `npm run xen:setup` leaves in the repository's own build folder. So it is
 * imported when it is needed, by its address, which a bundler does not follow.
 */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Failure, MissingError, sentenceOf, UsageError } from './failure.js';

interface Metal {
  'build-guest.mjs': typeof import('../metal/build-guest.mjs');
  'setup.mjs': typeof import('../metal/setup.mjs');
  'qemu.mjs': typeof import('../metal/qemu.mjs');
  'dom0/run.mjs': typeof import('../metal/dom0/run.mjs');
}

const SET_UP = 'npm run xen:setup';

/** Two folders up, as source and as bundle. */
const METAL = new URL('../../host/metal/', import.meta.url);

/** Rejects with a MissingError in an installed package. */
export async function importMetal<Name extends keyof Metal>(name: Name): Promise<Metal[Name]> {
  const url = new URL(name, METAL);
  if (!existsSync(url)) {
    throw new MissingError(
      `host/metal/${name}, which builds and boots images, is not in the installed package; ` +
        `in a clone of the repository, run \`${SET_UP}\`, then this verb after \`npm start --\``,
    );
  }
  return (await import(url.href)) as Metal[Name];
}

/** A failure of host/metal, whose own class is another, with what the failing tool printed. */
export function failureOfMetal(error: unknown): unknown {
  const { message, exitCode, output } = error as Error & { exitCode?: number; output?: string };
  if (exitCode === undefined) return error;
  const sentence = output ? `${message}\n${output.trimEnd()}` : message;
  if (exitCode !== 2) return new Failure(sentence);
  const remedy = message.includes(SET_UP) ? '' : ` (${SET_UP} does it)`;
  return new MissingError(`${sentence}${remedy}`);
}

export interface Image {
  /** Absolute. */
  readonly path: string;
  readonly bytes: Buffer;
}

/** Of the header in Linux's "Booting AArch64 Linux", which Xen looks for. */
const HEADER_SIZE = 64;
const MAGIC_OFFSET = 56;
const MAGIC = 'ARM\x64';

/** Throws a UsageError unless it is an image that Xen boots on arm64. */
export function readImage(path: string): Image {
  const bytes = readWhole(path);
  const magic = bytes.toString('latin1', MAGIC_OFFSET, MAGIC_OFFSET + MAGIC.length);
  if (bytes.length >= HEADER_SIZE && magic === MAGIC) return { path: resolve(path), bytes };
  const elf = bytes.toString('latin1', 0, 4) === '\x7fELF';
  throw new UsageError(
    `${path} is no arm64 Image: it has no "ARM\\x64" at offset ${MAGIC_OFFSET}` +
      (elf ? '; it is an ELF file, objcopy -O binary makes it flat' : ''),
  );
}

function readWhole(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new UsageError(`there is no image ${path}`);
    if (code === 'EISDIR') throw new UsageError(`${path} is a folder, not an image`);
    throw new UsageError(`${path} cannot be read: ${sentenceOf(error)}`);
  }
}
