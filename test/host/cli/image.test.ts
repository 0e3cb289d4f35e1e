/** `image`: what it says of a program that cannot become a guest. Needs asc and no C compiler. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

import * as errors from '../../../assembly/wire/errno.js';
import { folder, Program, run, type Ended } from './program.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const CLI = 'build/host/cli.js';
const TIMEOUT_MS = 60_000;

/** Writes a program; its path. */
function program(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function expectFailure({ exitCode, stdout, stderr }: Ended, code: number, ...parts: string[]) {
  for (const part of parts) expect(stderr).toContain(part);
  expect(stderr).not.toMatch(/^ +at /m);
  expect(exitCode).toBe(code);
  expect(stdout.length).toBe(0);
}

describe('image refuses', () => {
  it.each([
    [[], 'image takes PROGRAM, not nothing'],
    [[join(folder, 'nowhere.ts')], 'there is no program'],
    [[`${ROOT}README.md`], 'is neither .ts nor .c'],
    [[`${ROOT}examples/11-guest-echo.c`, '-o', folder], 'is a folder, not an image'],
    [[`${ROOT}examples/11-guest-echo.c`, '-o', join(folder, 'none/x.img')], 'there is no folder'],
  ])('%j', async (args, sentence) => {
    expectFailure(await run('image', ...args), 2, sentence);
  });

  it.each([
    ['wrong.ts', 'const x: i32 = "a";', 'ERROR TS2322', 'in wrong.ts(1,16)', 'does not compile'],
    ['float.ts', 'export function half(x: f64): f64 { return x / 2; }', 'in float/half; guests'],
    ['own.ts', 'declare function own(): void;\nown();\nDate.now();', 'needs own.own, env.Date.now'],
  ])('%s, with what asc says', async (name, text, ...parts) => {
    expectFailure(await run('image', program(name, text)), 1, ...parts);
  });

  it('a program when there is no C compiler, and names the package', async () => {
    const command = ['/usr/bin/env', `PATH=${folder}`, process.execPath, ROOT + CLI];
    const target = join(folder, 'guest.img');
    const args = ['image', `${ROOT}examples/11-guest-echo.c`, '-o', target];
    const { ended } = new Program(args, command);
    expectFailure(await ended, 2, 'apt-get install gcc-aarch64-linux-gnu');
  });
});

describe('pvcalls/guest', () => {
  it('has the numbers of the wire', () => {
    const text = readFileSync(`${ROOT}host/metal/guest-ts/guest.ts`, 'utf8');
    const constants = [...text.matchAll(/^export const (E\w+): i32 = (\d+);$/gm)];
    expect(constants.length).toBeGreaterThan(10);
    for (const [, name = '', value] of constants) {
      expect([name, Number(value)]).toEqual([name, errors[name as keyof typeof errors]]);
    }
  });

  it(
    'has types that an editor finds, for the examples',
    () => {
      const config = ts.getParsedCommandLineOfConfigFile(
        `${ROOT}examples/tsconfig.json`,
        {},
        {
          ...ts.sys,
          onUnRecoverableConfigFileDiagnostic: (problem) => {
            throw new Error(String(problem.messageText));
          },
        },
      );
      const programs = ts.createProgram(config?.fileNames ?? [], config?.options ?? {});
      expect(config?.fileNames.length).toBeGreaterThan(1);
      const said = ts.getPreEmitDiagnostics(programs).map(({ messageText }) => messageText);
      expect(said).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
