/**
 * What two programs do with a connection. The caller opens it and sends a header that names a mode,
 * a stream and a length; the responder obeys. Guests and host programs play both roles.
 */
export const MODES = ['echo', 'down', 'up', 'both', 'half', 'reset', 'cut'] as const;

/**
 * echo: the caller sends, the responder sends the same back; down: the responder sends and ends;
 * up: the caller sends and closes at once; both: down and up at the same time; half: the responder
 * sends and ends, and only then the caller sends; reset: echo, until the responder resets; cut: the
 * responder sends and resets at once, while the caller may not have read a byte.
 */
export type Mode = (typeof MODES)[number];

export interface Talk {
  readonly mode: Mode;
  /** The stream from the caller; the one from the responder is `id + 1`. */
  readonly id: number;
  /** Bytes per direction that has any, the header not counted. */
  readonly length: number;
  /** Mode reset: after so many bytes. */
  readonly after: number;
}

export const HEADER_SIZE = 16; // bytes

export function encodeHeader({ mode, id, length, after }: Talk): Uint8Array {
  const words = [MODES.indexOf(mode), id, length, after];
  const bytes = new Uint8Array(HEADER_SIZE);
  words.forEach((word, i) => new DataView(bytes.buffer).setUint32(4 * i, word, true));
  return bytes;
}

export function decodeHeader(bytes: Uint8Array): Talk {
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_SIZE);
  const mode = MODES[view.getUint32(0, true)];
  const [id, length, after] = [4, 8, 12].map((at) => view.getUint32(at, true)) as [
    number,
    number,
    number,
  ];
  if (mode === undefined) throw new Error(`the header names no mode: ${bytes.join(' ')}`);
  return { mode, id, length, after };
}

export const sendsUp = ({ mode }: Talk): boolean => mode !== 'down' && mode !== 'cut';
export const sendsDown = ({ mode }: Talk): boolean => mode !== 'up';

/** Stream of the bytes from the responder: an echo is the caller's own. */
export function downId({ mode, id }: Talk): number {
  return mode === 'echo' || mode === 'reset' ? id : id + 1;
}
