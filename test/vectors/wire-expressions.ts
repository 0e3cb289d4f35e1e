/**
 * Which C expression of layout.json each constant of assembly/wire is. A constant that is missing
 * here and in OURS fails test/host/layout.test.ts.
 */

/** Several expressions: the constant equals every one of them. */
export type Expressions = string | readonly string[];

const field = (type: string, name: string): string => `offsetof(struct ${type}, ${name})`;
const request = (name: string): string => field('xen_pvcalls_request', name);
const response = (name: string): string => field('xen_pvcalls_response', name);
const sring = (name: string): string => field('xen_pvcalls_sring', name);
const store = (name: string): string => field('xenstore_domain_interface', name);
const v1 = (name: string): string => field('pvcalls_data_intf', name);
const v7 = (name: string): string => field('v7_data_intf', name);
const inBoth = (name: string): string[] => [v1(name), v7(name)];

/** The constant is a macro or enumerator of the same name. */
const same = (...names: string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, name]));

/** Some C names are spelled in another case. */
const socketNumber = (name: string): string[] => [`SPEC_${name}`, name];

const COMMANDS = ['socket', 'connect', 'release', 'bind', 'listen', 'accept', 'poll'];

/** File of assembly/wire, without `.ts` -> constant -> expressions. */
export const EXPRESSIONS: Record<string, Record<string, Expressions>> = {
  abi: same('POLLIN', 'POLLOUT', 'POLLERR', 'POLLHUP', 'MSG_PEEK'),
  'data-ring': {
    IN_CONS: inBoth('in_cons'),
    IN_PROD: inBoth('in_prod'),
    IN_ERROR: inBoth('in_error'),
    OUT_CONS: inBoth('out_cons'),
    OUT_PROD: inBoth('out_prod'),
    OUT_ERROR: inBoth('out_error'),
    V1_RING_ORDER: v1('ring_order'),
    V1_REF: v1('ref'),
    V7_RING_ORDER: v7('ring_order'),
    V7_REF: v7('ref'),
    RING_ORDER_MAX:
      '31 - __builtin_clz((4096 - offsetof(struct pvcalls_data_intf, ref)) / sizeof(grant_ref_t))',
    FLEX_RING_SHIFT: '__builtin_ctzl(XEN_FLEX_RING_SIZE(0))',
  },
  'grant-table': {
    GRANT_FLAGS: field('grant_entry_v1', 'flags'),
    GRANT_DOMID: field('grant_entry_v1', 'domid'),
    GRANT_FRAME: field('grant_entry_v1', 'frame'),
    GRANT_ENTRY_SIZE: 'sizeof(struct grant_entry_v1)',
    GTF_INVALID: 'GTF_invalid',
    GTF_PERMIT_ACCESS: 'GTF_permit_access',
    GTF_READONLY: 'GTF_readonly',
    GTF_READING: 'GTF_reading',
    GTF_WRITING: 'GTF_writing',
    ...same('GNTTAB_NR_RESERVED_ENTRIES', 'GNTTAB_RESERVED_CONSOLE', 'GNTTAB_RESERVED_XENSTORE'),
    ...same('DOMID_FIRST_RESERVED', 'DOMID_SELF'),
  },
  inet: {
    AF_UNSPEC: socketNumber('AF_UNSPEC'),
    AF_UNIX: socketNumber('AF_UNIX'),
    AF_INET: socketNumber('AF_INET'),
    AF_INET6: socketNumber('AF_INET6'),
    SOCK_STREAM: socketNumber('SOCK_STREAM'),
    SOCK_DGRAM: socketNumber('SOCK_DGRAM'),
    SOCK_RAW: socketNumber('SOCK_RAW'),
    IPPROTO_TCP: 'IPPROTO_TCP',
    SIN_FAMILY: [field('spec_sockaddr_in', 'sin_family'), field('sockaddr_in', 'sin_family')],
    SIN_PORT: [field('spec_sockaddr_in', 'sin_port'), field('sockaddr_in', 'sin_port')],
    SIN_ADDR: [field('spec_sockaddr_in', 'sin_addr'), field('sockaddr_in', 'sin_addr')],
    ADDR_SIZE: [
      'sizeof(struct spec_sockaddr_in)',
      'sizeof(((struct xen_pvcalls_request *)0)->u.connect.addr)',
    ],
    SOCKADDR_IN_SIZE: 'sizeof(struct sockaddr_in)',
  },
  page: { PAGE_SHIFT: 'XEN_PAGE_SHIFT', PAGE_SIZE: '1 << XEN_PAGE_SHIFT' },
  pvcalls: {
    ...same(...COMMANDS.map((command) => `PVCALLS_${command.toUpperCase()}`)),
    REQUEST_SIZE: 'sizeof(struct xen_pvcalls_request)',
    REQUEST_REQ_ID: request('req_id'),
    REQUEST_CMD: request('cmd'),
    REQUEST_ID: COMMANDS.map((command) => request(`u.${command}.id`)),
    SOCKET_DOMAIN: request('u.socket.domain'),
    SOCKET_TYPE: request('u.socket.type'),
    SOCKET_PROTOCOL: request('u.socket.protocol'),
    CONNECT_ADDR: request('u.connect.addr'),
    CONNECT_LEN: request('u.connect.len'),
    CONNECT_FLAGS: request('u.connect.flags'),
    CONNECT_REF: request('u.connect.ref'),
    CONNECT_EVTCHN: request('u.connect.evtchn'),
    RELEASE_REUSE: request('u.release.reuse'),
    RELEASE_RESET: request('u.release.pad'), // ours, in the first byte of the padding
    BIND_ADDR: request('u.bind.addr'),
    BIND_LEN: request('u.bind.len'),
    LISTEN_BACKLOG: request('u.listen.backlog'),
    ACCEPT_ID_NEW: request('u.accept.id_new'),
    ACCEPT_REF: request('u.accept.ref'),
    ACCEPT_EVTCHN: request('u.accept.evtchn'),
    RESPONSE_SIZE: 'sizeof(struct xen_pvcalls_response)',
    RESPONSE_REQ_ID: response('req_id'),
    RESPONSE_CMD: response('cmd'),
    RESPONSE_RET: response('ret'),
    RESPONSE_ID: response('u.socket.id'),
  },
  ring: {
    REQ_PROD: sring('req_prod'),
    REQ_EVENT: sring('req_event'),
    RSP_PROD: sring('rsp_prod'),
    RSP_EVENT: sring('rsp_event'),
    SRING_PVT: sring('pvt'),
    SRING_SLOTS: sring('ring'),
    RING_SIZE: '__CONST_RING_SIZE(xen_pvcalls, 4096)',
    SLOT_SIZE: 'sizeof(union xen_pvcalls_sring_entry)',
  },
  'shared-info': {
    EVTCHN_UPCALL_PENDING: field('shared_info', 'vcpu_info[0].evtchn_upcall_pending'),
    EVTCHN_UPCALL_MASK: field('shared_info', 'vcpu_info[0].evtchn_upcall_mask'),
    EVTCHN_PENDING_SEL: field('shared_info', 'vcpu_info[0].evtchn_pending_sel'),
    ARM64_EVTCHN_PENDING: `arm64: ${field('shared_info', 'evtchn_pending')}`,
    ARM64_EVTCHN_MASK: `arm64: ${field('shared_info', 'evtchn_mask')}`,
    X86_64_EVTCHN_PENDING: `x86-64: ${field('shared_info', 'evtchn_pending')}`,
    X86_64_EVTCHN_MASK: `x86-64: ${field('shared_info', 'evtchn_mask')}`,
    ARM64_SHARED_INFO_SIZE: 'arm64: sizeof(struct shared_info)',
    X86_64_SHARED_INFO_SIZE: 'x86-64: sizeof(struct shared_info)',
    ...same('EVTCHN_2L_NR_CHANNELS', 'VIRQ_TIMER', 'VIRQ_DEBUG', 'VIRQ_ARGO'),
  },
  xenbus: {
    XENBUS_STATE_UNKNOWN: 'XenbusStateUnknown',
    XENBUS_STATE_INITIALISING: 'XenbusStateInitialising',
    XENBUS_STATE_INIT_WAIT: 'XenbusStateInitWait',
    XENBUS_STATE_INITIALISED: 'XenbusStateInitialised',
    XENBUS_STATE_CONNECTED: 'XenbusStateConnected',
    XENBUS_STATE_CLOSING: 'XenbusStateClosing',
    XENBUS_STATE_CLOSED: 'XenbusStateClosed',
    XENBUS_STATE_RECONFIGURING: 'XenbusStateReconfiguring',
    XENBUS_STATE_RECONFIGURED: 'XenbusStateReconfigured',
  },
  xenstore: {
    ...same('XS_CONTROL', 'XS_DIRECTORY', 'XS_READ', 'XS_GET_PERMS', 'XS_WATCH', 'XS_UNWATCH'),
    ...same('XS_TRANSACTION_START', 'XS_TRANSACTION_END', 'XS_INTRODUCE', 'XS_RELEASE'),
    ...same('XS_GET_DOMAIN_PATH', 'XS_WRITE', 'XS_MKDIR', 'XS_RM', 'XS_SET_PERMS'),
    ...same('XS_WATCH_EVENT', 'XS_ERROR', 'XS_IS_DOMAIN_INTRODUCED', 'XS_RESUME'),
    ...same('XS_SET_TARGET', 'XS_RESET_WATCHES', 'XS_DIRECTORY_PART'),
    ...same('XENSTORE_PAYLOAD_MAX', 'XENSTORE_ABS_PATH_MAX', 'XENSTORE_REL_PATH_MAX'),
    ...same('XENSTORE_RING_SIZE', 'XENSTORE_CONNECTED', 'XENSTORE_RECONNECT'),
    MSG_TYPE: field('xsd_sockmsg', 'type'),
    MSG_REQ_ID: field('xsd_sockmsg', 'req_id'),
    MSG_TX_ID: field('xsd_sockmsg', 'tx_id'),
    MSG_LEN: field('xsd_sockmsg', 'len'),
    MSG_SIZE: 'sizeof(struct xsd_sockmsg)',
    XS_REQ: store('req'),
    XS_RSP: store('rsp'),
    XS_REQ_CONS: store('req_cons'),
    XS_REQ_PROD: store('req_prod'),
    XS_RSP_CONS: store('rsp_cons'),
    XS_RSP_PROD: store('rsp_prod'),
    XS_SERVER_FEATURES: store('server_features'),
    XS_CONNECTION: store('connection'),
    XS_ERROR_FIELD: store('error'),
  },
};

/** Constants that no header of Xen or of the C library has, and why. */
export const OURS: Record<string, Record<string, string> | string> = {
  abi: 'the ABI between the core and its embedder is ours; docs/abi.md is held against the wasm',
  dom0less: "the wiki has the port at 4 and 'go' at 0; the rest, and the module's ABI, is ours",
  errno: {
    ERESTARTSYS: "Linux's kernel keeps it to itself, and its backend sends it all the same",
    ERRNO_MAX:
      'the bound of our ABI is that of Linux, whose header for programs has no name for it',
  },
};
