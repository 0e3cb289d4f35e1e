/** What an exploration that must fail says. */
import { Violation } from './explorer.js';

/** The property that does not hold, and how; undefined properties when all of them do. */
export function failureOf(run: () => unknown): { property: string; trail: readonly string[] } {
  try {
    run();
  } catch (error) {
    if (error instanceof Violation) return { property: error.property, trail: error.trail };
    throw error;
  }
  return { property: 'all properties hold', trail: [] };
}
