/**
 * Who watches what. A change concerns the watches on its path and on the paths above it, so those
 * are looked up, and what everybody else watches costs nothing.
 */
import type { Change } from './nodes.js';
import { parentOf } from './paths.js';

export type Watcher = (change: Change) => void;

export class WatchIndex {
  /** By absolute path, in the order in which they were set. */
  private readonly byPath = new Map<string, Watcher[]>();

  add(path: string, watcher: Watcher): void {
    const watchers = this.byPath.get(path);
    if (watchers === undefined) this.byPath.set(path, [watcher]);
    else watchers.push(watcher);
  }

  remove(path: string, watcher: Watcher): void {
    const watchers = this.byPath.get(path);
    const at = watchers?.indexOf(watcher) ?? -1;
    if (watchers === undefined || at < 0) return;
    watchers.splice(at, 1);
    if (watchers.length === 0) this.byPath.delete(path);
  }

  /** Tells the watchers of the path, then those above it; only the former of an exact change. */
  fire(change: Change): void {
    for (let path = change.path; ; path = parentOf(path)) {
      for (const watcher of this.byPath.get(path) ?? []) watcher(change);
      if (change.exact || path === '/') return;
    }
  }
}
