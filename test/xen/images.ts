/** The guest images of these tests, and what booting them takes. */
import { buildImage } from '../../host/metal/build-image.mjs';
import { runDom0less } from '../../host/metal/qemu.mjs';

const MODULE = 'build/dom0less.wasm';

/** Builds test/xen/apps/NAME.c over the Dom0less module. Result: path of the image. */
export function imageOf(name: string, architecture: 'arm64' | 'x86-64' = 'arm64'): Promise<string> {
  return buildImage({ name, module: MODULE, app: `test/xen/apps/${name}.c`, architecture });
}

export type Gic = 2 | 3;

/** One guest by itself, which ends the machine when it ends. */
export function runAlone(image: string, settings: string, gic: Gic = 3) {
  return runDom0less({ gic, guests: [{ image, bootargs: `semihosting=on ${settings}` }] });
}

/** Lines of guests on the console, `(d1) ...`, without Xen's own. */
export function guestLines(console: string): string[] {
  return console.split(/\r?\n/).filter((line) => /^\(d\d+\)/.test(line));
}
