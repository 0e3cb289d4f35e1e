/* Our grant table, version 1, and the window into which foreign grants are mapped. */
#ifndef PVCALLS_GRANT_TABLE_H
#define PVCALLS_GRANT_TABLE_H

#include <stdbool.h>
#include <stdint.h>

/* `base`: guest-physical region for the table, 2 MiB aligned. */
void grant_table_init(uint64_t base);

/* Lets `remote` map one of our guest frames. Result: the reference, or -ENOSPC. */
int64_t grant_access(uint16_t remote, uint64_t guest_frame, bool readonly);

/* 0; -EBUSY while it is mapped, and then nothing has changed; -EINVAL: not granted. */
int grant_end(uint32_t ref);

/* Maps a grant of `remote`. Result: the frame of linear memory, or a negative errno. */
int64_t grant_map(uint16_t remote, uint32_t ref, bool writable);

/* Undoes grant_map(); -EINVAL: nothing is mapped there. */
int grant_unmap(uint32_t linear_frame);

#endif
