/**
 * Socket families and `struct sockaddr_in` as PV Calls carries it.
 * Spec: pvcalls, "Socket families and address format".
 *
 *   0             2            4            8
 *   | sin_family | sin_port   | sin_addr   | sin_zero[20] |
 *   | LE u16     | network    | network    |
 */
export const AF_UNSPEC: u32 = 0;
export const AF_UNIX: u32 = 1;
export const AF_INET: u32 = 2;
export const AF_INET6: u32 = 10;

export const SOCK_STREAM: u32 = 1;
export const SOCK_DGRAM: u32 = 2;
export const SOCK_RAW: u32 = 3;

export const IPPROTO_TCP: u32 = 6;

export const SIN_FAMILY: u32 = 0;
export const SIN_PORT: u32 = 2;
export const SIN_ADDR: u32 = 4;
/** Bytes of an address field in a request; `len` may say less. */
export const ADDR_SIZE: u32 = 28;
/** Size of a C `struct sockaddr_in`, the usual `len`. */
export const SOCKADDR_IN_SIZE: u32 = 16;
