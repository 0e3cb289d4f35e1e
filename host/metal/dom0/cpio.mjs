/**
 * Archives as the Linux kernel unpacks them into its first root: "newc" cpio. Written here, because
 * then neither root rights nor a cpio program are needed, and equal files give equal archives.
 * The kernel also takes several archives one after the other, each padded to four bytes.
 */

const FILE = 0o100000;
const LINK = 0o120000;
const FOLDER = 0o040000;
const TRAILER = 'TRAILER!!!';

/** @typedef {{ path: string, data?: Uint8Array, link?: string, executable?: boolean }} Entry */

/**
 * Folders that lead to a path are added by themselves; an entry with neither data nor link is one.
 *
 * @param {Entry[]} entries Paths have no leading slash.
 * @returns {Buffer}
 */
export function cpio(entries) {
  const folders = new Set(entries.flatMap(({ path }) => parents(path)));
  for (const { path, data, link } of entries) if (!data && link === undefined) folders.add(path);
  const parts = [...folders].sort().map((path) => record(path, FOLDER | 0o755, Buffer.alloc(0)));
  for (const { path, data, link, executable } of entries) {
    if (link !== undefined) parts.push(record(path, LINK | 0o777, Buffer.from(link)));
    else if (data) parts.push(record(path, FILE | (executable ? 0o755 : 0o644), data));
  }
  return Buffer.concat([...parts, record(TRAILER, 0, Buffer.alloc(0))]);
}

/** @param {string} path */
function parents(path) {
  const names = path.split('/').slice(0, -1);
  return names.map((_, index) => names.slice(0, index + 1).join('/'));
}

/** Every file needs its own: equal numbers would make them hard links of each other. */
let inode = 1;

/** @param {string} path @param {number} mode @param {Uint8Array} data */
function record(path, mode, data) {
  const name = Buffer.from(`${path}\0`);
  const links = mode >>> 12 === FOLDER >>> 12 ? 2 : 1;
  // ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
  const fields = [inode++, mode, 0, 0, links, 0, data.length, 0, 0, 0, 0, name.length, 0];
  const header = fields.map((field) => field.toString(16).padStart(8, '0')).join('');
  return Buffer.concat([padded(Buffer.from(`070701${header}${name}`, 'latin1')), padded(data)]);
}

/** @param {Uint8Array} bytes */
function padded(bytes) {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
}
