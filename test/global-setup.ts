/** `npm test` builds before it tests; whoever calls vitest by hand is told when that is due. */
import { staleSteps } from '../host/build/build.mjs';

export default function setup(): void {
  const stale = staleSteps();
  if (stale.length > 0) {
    console.warn(`build/ is older than its sources (${stale.join(', ')}): npm run build`);
  }
}
