/** `npm run bench`: bundles test/bench/*.bench.ts and runs each in a process of its own. */
import { build } from './build.mjs';
import { filesBelow } from './freshness.mjs';
import { Failure } from './report.mjs';
import { ROOT, show } from './run.mjs';

/**
 * @param {string[]} names Parts of file names; every bench by default.
 * @returns {Promise<number>}
 */
export async function bench(names) {
  await build(['core', 'host']);
  const wanted = filesBelow('test/bench')
    .filter((file) => file.endsWith('.bench.ts'))
    .filter((file) => names.length === 0 || names.some((name) => file.includes(name)));
  if (wanted.length === 0) throw new Failure('No bench matches; they are test/bench/*.bench.ts.');
  const esbuild = await import('esbuild');
  for (const file of wanted) {
    const outfile = file.replace('test/bench/', 'build/bench/').replace(/\.ts$/, '.js');
    await esbuild.build({
      absWorkingDir: ROOT,
      entryPoints: [file],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      packages: 'external',
      logLevel: 'error',
    });
    const exitCode = await show(process.execPath, [ROOT + outfile]);
    if (exitCode !== 0) return exitCode;
  }
  return 0;
}
