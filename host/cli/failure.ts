/**
 * What goes wrong, as a sentence for a person: what was tried, what it met, what can be done.
 * Exit codes: 1 the work failed, 2 the command was given wrongly, or what it needs is missing.
 */

/** An expected failure; its message is the whole sentence. */
export class Failure extends Error {
  readonly exitCode: number = 1;
}

/** The arguments are wrong: the message says how, and what is accepted. */
export class UsageError extends Failure {
  override readonly exitCode = 2;
}

/** Something has to be installed or set up first: the message says how. */
export class MissingError extends Failure {
  override readonly exitCode = 2;
}

interface Facts {
  code?: string;
  syscall?: string;
  address?: string;
  port?: number;
  hostname?: string;
}

/** `at` is the address that the failing call was about. */
const SENTENCES: Record<string, (at: string, facts: Facts) => string> = {
  EADDRINUSE: (at) => `${at} is in use; end what listens there, or choose another port`,
  EADDRNOTAVAIL: (at) => `${at} is not an address of this machine; choose one that is`,
  EACCES: (at, { syscall }) =>
    syscall === 'bind' || syscall === 'listen'
      ? `${at} may not be listened on; choose a port above 1023`
      : `${at} is denied`,
  ECONNREFUSED: (at) => `nobody listens at ${at}; start what should answer there`,
  ECONNRESET: (at) => `the connection to ${at} was reset by the other end`,
  EPIPE: (at) => `the other end at ${at} takes no more`,
  ETIMEDOUT: (at) => `${at} does not answer`,
  EHOSTUNREACH: (at) => `there is no way to ${at}`,
  ENETUNREACH: (at) => `there is no way to ${at}`,
  ENOTFOUND: (_, { hostname }) => `no IPv4 address is known for ${hostname}; check the name`,
  EAI_AGAIN: (_, { hostname }) => `the name service does not answer for ${hostname}; try again`,
  EMFILE: (at) => `too many open files for ${at}; raise the limit (ulimit -n)`,
  ENFILE: (at) => `no socket is left for ${at}; use more guests (--guests)`,
  ENOBUFS: (at) => `no ring memory is left for ${at}; lower --ring-order or use more --guests`,
};

/** One sentence without a full stop; `where` names the address when the error does not. */
export function sentenceOf(error: unknown, where?: string): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof Failure) return error.message;
  const facts = error as Facts;
  const sentence = SENTENCES[facts.code ?? ''];
  if (sentence === undefined) return error.message;
  const at = facts.address === undefined ? undefined : `${facts.address}:${facts.port ?? 0}`;
  return sentence(at ?? where ?? 'the connection', facts);
}
