/** The program made of ring.c, asked line by line, so that its rounds alternate with ours. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface CRing {
  /** Nanoseconds that `what` ('one' or 'two') takes for so many chunks of so many bytes. */
  ask(what: string, size: number, chunks: number): Promise<number>;
  end(): void;
}

export function startCRing(program: string): CRing {
  const child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    ask: async (what, size, chunks) => {
      child.stdin.write(`${what} ${size} ${chunks}\n`);
      const { value, done } = await answers.next();
      if (done) throw new Error(`ring.c gave up at: ${what} ${size} ${chunks}`);
      return Number(value);
    },
    end: () => child.stdin.end(),
  };
}
