/** The x86-64 machine: QEMU loads Xen as a multiboot kernel; dom0's kernel and root are modules. */
import { writeFileSync } from 'node:fs';

import { dom0Of } from './setup.mjs';

/** SMAP makes Xen write to control registers on each way in and out: slow where it is emulated. */
export const PC = ['-M', 'q35', '-cpu', 'max,-smap'];

/** What the device of virtio ports is called on this machine's bus. */
export const PC_PORTS = 'virtio-serial-pci';

/**
 * @param {string} folder For files of this run. No comma in its name: QEMU splits there.
 * @param {{ ramdisk: Buffer, xenArguments: string, dom0Arguments: string }} boot
 * @returns {string[]} Arguments for QEMU.
 */
export function pcBootFiles(folder, { ramdisk, xenArguments, dom0Arguments }) {
  const { xen, kernel } = dom0Of('x86-64');
  const archive = `${folder}/dom0.cpio`;
  writeFileSync(archive, ramdisk);
  const modules = [`${kernel} ${dom0Arguments}`, archive].join(',');
  const append = `console=com1 com1=115200,8n1 ${xenArguments}`;
  return ['-kernel', xen, '-append', append, '-initrd', modules];
}
