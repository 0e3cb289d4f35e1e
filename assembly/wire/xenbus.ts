/** xenbus device states. C reference: public/io/xenbus.h, enum xenbus_state. */
export const XENBUS_STATE_UNKNOWN: u32 = 0;
export const XENBUS_STATE_INITIALISING: u32 = 1;
export const XENBUS_STATE_INIT_WAIT: u32 = 2;
export const XENBUS_STATE_INITIALISED: u32 = 3;
export const XENBUS_STATE_CONNECTED: u32 = 4;
export const XENBUS_STATE_CLOSING: u32 = 5;
export const XENBUS_STATE_CLOSED: u32 = 6;
export const XENBUS_STATE_RECONFIGURING: u32 = 7;
export const XENBUS_STATE_RECONFIGURED: u32 = 8;
