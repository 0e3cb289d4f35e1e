/**
 * What the programs outside saw of each connection, to be held against what the guest says it did.
 */
import type { Talk } from './conversation.js';

/** One end of one connection, as the program outside saw it. */
export interface Entry {
  readonly talk: Talk;
  /** Bytes of the other side's stream, all of them right, or `wrong` says what was not. */
  received: number;
  wrong: string | undefined;
  /** 0 for an orderly end, a negative errno for another; undefined: not yet. */
  ended: number | undefined;
}

/** What the guest says of one connection. */
export interface Claim {
  readonly id: number;
  /** Bytes written, the header not counted; nobody may have received more. */
  readonly sent: number;
  /** Everything was written and closed in order: all of it must have arrived, and then an end. */
  readonly whole: boolean;
}

export class Ledger {
  private readonly entries = new Map<number, Entry>();

  open(talk: Talk): Entry {
    const entry: Entry = { talk, received: 0, wrong: undefined, ended: undefined };
    this.entries.set(talk.id, entry);
    return entry;
  }

  /** Whether everything that must have ended has. */
  settled(claims: readonly Claim[]): boolean {
    return claims.every(({ id, whole }) => !whole || this.entries.get(id)?.ended !== undefined);
  }

  /** Sentences about everything that does not fit, of all connections. */
  disputes(claims: readonly Claim[]): string[] {
    const sentences: string[] = [];
    for (const { talk, wrong } of this.entries.values()) {
      if (wrong !== undefined) sentences.push(`${talk.mode} ${talk.id}: ${wrong}`);
    }
    for (const { id, sent, whole } of claims) {
      const entry = this.entries.get(id);
      const { received = 0, ended } = entry ?? {};
      const name = `${entry?.talk.mode ?? 'unseen'} ${id}`;
      if (received > sent) sentences.push(`${name}: ${received} bytes came of ${sent} sent`);
      if (!whole) continue;
      if (received < sent) sentences.push(`${name}: only ${received} bytes came of ${sent}`);
      if (ended !== 0) sentences.push(`${name}: ended with ${ended ?? 'nothing'}, not in order`);
    }
    return sentences;
  }
}
