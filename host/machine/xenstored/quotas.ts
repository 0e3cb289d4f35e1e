/** Limits of an unprivileged domain, xenstored's defaults. Domain 0 has none. */
export const NODES_MAX = 1000;
export const WATCHES_MAX = 128;
export const TRANSACTIONS_MAX = 10;
/** Nodes that one transaction may look at. */
export const TRANSACTION_NODES_MAX = 1024;
/** Bytes of a node's value. */
export const VALUE_MAX = 2048;
export const PERMISSIONS_MAX = 5;
/** Watch events that a guest has not taken yet, each different; more, and its ring is given up. */
export const QUEUED_EVENTS_MAX = 1024;
