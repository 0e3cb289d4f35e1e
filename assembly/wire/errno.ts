/**
 * Error numbers, positive; the wire carries them negated.
 * Spec: pvcalls, "Error numbers". The last group is missing from both documents and arrives all
 * the same, because Linux's backend answers with whatever its kernel returned.
 */
export const EPERM: i32 = 1;
export const ENOENT: i32 = 2;
export const ESRCH: i32 = 3;
export const EINTR: i32 = 4;
export const EIO: i32 = 5;
export const ENXIO: i32 = 6;
export const E2BIG: i32 = 7;
export const ENOEXEC: i32 = 8;
export const EBADF: i32 = 9;
export const ECHILD: i32 = 10;
export const EAGAIN: i32 = 11;
export const ENOMEM: i32 = 12;
export const EACCES: i32 = 13;
export const EFAULT: i32 = 14;
export const EBUSY: i32 = 16;
export const EEXIST: i32 = 17;
export const EXDEV: i32 = 18;
export const ENODEV: i32 = 19;
export const EISDIR: i32 = 21;
export const EINVAL: i32 = 22;
export const ENFILE: i32 = 23;
export const EMFILE: i32 = 24;
export const ENOSPC: i32 = 28;
export const EROFS: i32 = 30;
export const EMLINK: i32 = 31;
export const EDOM: i32 = 33;
export const ERANGE: i32 = 34;
export const EDEADLK: i32 = 35;
export const ENAMETOOLONG: i32 = 36;
export const ENOLCK: i32 = 37;
export const ENOSYS: i32 = 38;
export const ENOTEMPTY: i32 = 39;
export const ENODATA: i32 = 61;
export const ETIME: i32 = 62;
export const EBADMSG: i32 = 74;
export const EOVERFLOW: i32 = 75;
export const EILSEQ: i32 = 84;
export const ERESTART: i32 = 85;
export const ENOTSOCK: i32 = 88;
export const EOPNOTSUPP: i32 = 95;
export const EAFNOSUPPORT: i32 = 97;
export const EADDRINUSE: i32 = 98;
export const EADDRNOTAVAIL: i32 = 99;
export const ENOBUFS: i32 = 105;
export const EISCONN: i32 = 106;
export const ENOTCONN: i32 = 107;
export const ETIMEDOUT: i32 = 110;
/** The spec's ENOTSUP is Linux's kernel-internal ENOTSUPP, not EOPNOTSUPP (95). */
export const ENOTSUP: i32 = 524;

export const ENOTDIR: i32 = 20;
export const EPIPE: i32 = 32;
export const EDESTADDRREQ: i32 = 89;
export const EPROTO: i32 = 71;
export const ENETDOWN: i32 = 100;
export const ENETUNREACH: i32 = 101;
export const ECONNABORTED: i32 = 103;
export const ECONNRESET: i32 = 104;
export const ESHUTDOWN: i32 = 108;
export const ECONNREFUSED: i32 = 111;
export const EHOSTDOWN: i32 = 112;
export const EHOSTUNREACH: i32 = 113;
export const EALREADY: i32 = 114;
export const EINPROGRESS: i32 = 115;
export const ECANCELED: i32 = 125;
export const ERESTARTSYS: i32 = 512;

/** Results from -ERRNO_MAX to -1 are errors, everything else is unsigned: Linux's MAX_ERRNO. */
export const ERRNO_MAX: u32 = 4095;
