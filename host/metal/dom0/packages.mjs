/**
 * The Debian packages that dom0 is made of: an exact list, so that no dependency tree decides what
 * is downloaded. The kernel is the one whose version the list of the archive names as 6.12.
 */

/** More than this is never downloaded. */
export const TOTAL_MIB_MAX = 500;

/** @typedef {{ name: string, architecture: string, root: boolean }} Wanted */

/** Unpacked as a whole into the root that dom0's programs and libraries are picked from. */
const PROGRAMS = [
  'xen-utils-4.17',
  'xenstore-utils',
  'busybox-static',
  'libxencall1',
  'libxendevicemodel1',
  'libxenevtchn1',
  'libxenforeignmemory1',
  'libxengnttab1',
  'libxenhypfs1',
  'libxenmisc4.17',
  'libxenstore4',
  'libxentoolcore1',
  'libxentoollog1',
  'libc6',
  'libgcc-s1',
  'libfdt1',
  'libncurses6',
  'libnl-3-200',
  'libnl-route-3-200',
  'libtinfo6',
  'libuuid1',
  'libyajl2',
  'liblzma5',
  'libzstd1',
  'zlib1g',
];

/** The metapackage whose dependency names the newest kernel of the series. */
const KERNEL_SERIES = 'linux-image-6.12';

/** @param {string} debian Debian's name of the architecture. */
export const kernelSeries = (debian) => `${KERNEL_SERIES}-${debian}`;

/**
 * @param {string} release As `uname -r` says it without the flavour: 6.12.117+deb12.
 * @param {string} debian
 */
function kernelPackages(release, debian) {
  return {
    image: `linux-image-${release}-${debian}`,
    headers: `linux-headers-${release}-${debian}`,
    commonHeaders: `linux-headers-${release}-common`,
    kbuild: `linux-kbuild-${release}`,
    source: 'linux-source-6.12',
  };
}

/**
 * @param {string} release
 * @param {string} debian Debian's name of the architecture of dom0.
 * @param {string} builder The same of this machine.
 */
export function packagesFor(release, debian, builder) {
  const kernel = kernelPackages(release, debian);
  const programs = [`xen-hypervisor-4.17-${debian}`, ...PROGRAMS];
  /** @type {Wanted[]} */
  const wanted = [
    ...programs.map((name) => ({ name, architecture: debian, root: true })),
    { name: kernel.image, architecture: debian, root: false },
    { name: kernel.headers, architecture: debian, root: false },
    { name: kernel.commonHeaders, architecture: 'all', root: false },
    { name: kernel.kbuild, architecture: builder, root: false },
    { name: kernel.source, architecture: 'all', root: false },
  ];
  return { kernel, wanted };
}
