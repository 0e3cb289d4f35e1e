/**
 * Who may import whom: ARCHITECTURE.md, "Rooms". In assembly/ a room imports only rooms below it;
 * host code takes from assembly/ nothing but the wire constants; and the other end of every ring,
 * host/machine and host/backend, is written without a look at host/core.
 */
import { describe, expect, it } from 'vitest';

import { importsOf, resolve, sources, type Source } from './sources.js';

/** Rooms of assembly/ from the bottom up; those of one level do not import each other. */
const LEVELS = [['wire'], ['ring'], ['guest'], ['pvcalls', 'v4v', 'idc', 'dom0less']];

/** The first folder below assembly/ or host/; '' for a file that lies in it directly. */
const roomOf = (path: string): string => /^\w+\/([\w-]+)\//.exec(path)?.[1] ?? '';

const levelOf = (room: string): number => LEVELS.findIndex((rooms) => rooms.includes(room));

function imports(files: Source[]): { from: string; to: string }[] {
  return files.flatMap((file) =>
    importsOf(file).map((name) => ({ from: file.path, to: resolve(file.path, name) })),
  );
}

function mayImportInCore(from: string, to: string): boolean {
  if (from === 'assembly/index.ts') return to.startsWith('assembly/');
  if (to === 'assembly/hypercalls') return levelOf(roomOf(from)) >= levelOf('guest');
  const [own, other] = [roomOf(from), roomOf(to)];
  return to.startsWith('assembly/') && (own === other || levelOf(other) < levelOf(own));
}

describe('assembly', () => {
  const files = sources(/^assembly\/.*\.ts$/);
  const core = imports(files);

  it('lies in the rooms that are known, but for the entry and the seam', () => {
    const known = /^assembly\/(index|hypercalls)\.ts$/;
    const astray = files.filter(({ path }) => levelOf(roomOf(path)) < 0 && !known.test(path));
    expect(astray.map(({ path }) => path)).toEqual([]);
  });

  it('imports downwards only: wire, ring, guest, then the protocols', () => {
    expect(core.length).toBeGreaterThan(0);
    expect(core.filter(({ from, to }) => !mayImportInCore(from, to))).toEqual([]);
  });

  it('has wire constants and a seam that import nothing', () => {
    const leaf = /^assembly\/(wire\/|hypercalls\.ts)/;
    expect(core.filter(({ from }) => leaf.test(from))).toEqual([]);
  });
});

describe('host', () => {
  const host = imports(sources(/^host\/(?!build\/).*\.ts$/));

  it('takes from assembly only the wire constants', () => {
    const deeper = /^assembly\/(?!wire\/)/;
    expect(host.length).toBeGreaterThan(0);
    expect(host.filter(({ to }) => deeper.test(to))).toEqual([]);
  });

  it('writes machine and backend without core', () => {
    const independent = /^host\/(machine|backend)\//;
    const forbidden = /^host\/(core|net|component|cli|index)\b/;
    expect(host.filter(({ from, to }) => independent.test(from) && forbidden.test(to))).toEqual([]);
  });

  it('has a machine that knows no backend, and nothing that imports the command line', () => {
    const wrong = host.filter(
      ({ from, to }) =>
        (from.startsWith('host/machine/') && to.startsWith('host/backend/')) ||
        (to.startsWith('host/cli/') && !from.startsWith('host/cli/')),
    );
    expect(wrong).toEqual([]);
  });

  it('needs no package at run time', () => {
    // The bindings of the component are made here and published with the rest.
    const ours = /^(host|assembly|build\/component|node:)/;
    expect(host.filter(({ to }) => !ours.test(to))).toEqual([]);
  });
});
