/* The page that Xen and this guest share: event channels, and on x86-64 the time. */
#ifndef PVCALLS_SHARED_INFO_H
#define PVCALLS_SHARED_INFO_H

/* Puts it into linear memory, at LINEAR_SHARED_INFO. */
void shared_info_init(void);

#endif
