/** Reads the archive in which dom0 sends its results: ustar, as busybox writes it. */

const BLOCK = 512;
const SIZE_AT = 124;
const TYPE_AT = 156;
const FILE_TYPES = ['0', '\0'];

/**
 * Regular files by path, without the leading `./`. An archive that was cut short gives those that
 * came whole.
 *
 * @param {Buffer} archive
 * @returns {Map<string, Buffer>}
 */
export function untar(archive) {
  /** @type {Map<string, Buffer>} */
  const files = new Map();
  for (let at = 0; at + BLOCK <= archive.length;) {
    const name = text(archive, at, 100);
    if (name === '') break;
    const size = parseInt(text(archive, at + SIZE_AT, 12), 8);
    const data = archive.subarray(at + BLOCK, at + BLOCK + size);
    const isFile = FILE_TYPES.includes(String.fromCharCode(archive[at + TYPE_AT] ?? 0));
    if (isFile && data.length === size) files.set(name.replace(/^\.\//, ''), data);
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
  return files;
}

/** @param {Buffer} archive @param {number} at @param {number} size */
function text(archive, at, size) {
  return archive.toString('latin1', at, at + size).replace(/\0.*$/s, '');
}
