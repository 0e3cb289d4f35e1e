/** What a mutant is: one edit of the core, and the tests that see it. */
import type { Edit } from '../mutants.js';

export interface Mutant {
  readonly line: number;
  /** Unique; also the folder below build/mutants. */
  readonly name: string;
  /** One, but where a defence stands in two places. */
  readonly edits: readonly Edit[];
  /** The file in test/hostile whose tests `line N: ...` see it. */
  readonly test: string;
}

/** Mutants of one file of assembly/, for the tests in one file of this folder. */
export const inFile =
  (file: string, test: string) =>
  (line: number, name: string, find: string, replace: string): Mutant => ({
    line,
    name,
    edits: [{ file: `assembly/${file}`, find, replace }],
    test,
  });
