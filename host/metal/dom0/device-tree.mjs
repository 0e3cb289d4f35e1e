/**
 * The device tree that Xen boots from: QEMU's own, with what a boot loader would add to /chosen.
 * Xen document: "Device tree bindings for the boot modules", docs/misc/arm/device-tree/booting.txt.
 */
import { readFileSync, writeFileSync } from 'node:fs';

import { run } from '../../build/run.mjs';

/** A file in guest memory: Xen itself lies at 0x40200000, QEMU's device tree at 0x48000000. */
/** @typedef {{ kind: 'kernel' | 'ramdisk', address: number, size: number }} BootModule */

const FAILED = 'The device tree cannot be made; dtc is in the package device-tree-compiler.';

/** @param {BootModule} module */
function moduleNode({ kind, address, size }) {
  return `
    module@${address.toString(16)} {
      compatible = "multiboot,${kind}", "multiboot,module";
      reg = <0x0 0x${address.toString(16)} 0x0 0x${size.toString(16)}>;
    };`;
}

/**
 * @param {{ base: string, out: string, xenArguments: string, dom0Arguments: string,
 *   modules: BootModule[] }} tree `base`: the blob that QEMU dumped.
 */
export async function makeDeviceTree({ base, out, xenArguments, dom0Arguments, modules }) {
  await run(FAILED, 'dtc', ['-q', '-I', 'dtb', '-O', 'dts', '-o', `${out}.dts`, base]);
  const chosen = `
/ {
  chosen {
    #address-cells = <2>;
    #size-cells = <2>;
    xen,xen-bootargs = "${xenArguments}";
    xen,dom0-bootargs = "${dom0Arguments}";${modules.map(moduleNode).join('')}
  };
};
`;
  writeFileSync(`${out}.dts`, readFileSync(`${out}.dts`, 'utf8') + chosen);
  await run(FAILED, 'dtc', ['-q', '-I', 'dts', '-O', 'dtb', '-o', out, `${out}.dts`]);
}
