/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aio.h - many reads or writes of a descriptor at a time, and one wait for all of them.
 *
 * The kernel's own interface (io_submit(2)), without a library. When a process that has some under
 * way is killed, it is not gone before they have ended: what an earlier daemon wrote never
 * arrives after what the next one writes.
 */
#ifndef XTM_BLOCKDEV_AIO_H
#define XTM_BLOCKDEV_AIO_H

#include <linux/aio_abi.h>
#include <stdbool.h>

#include "daemon/blk/backing.h"

/* One thread at a time. */
struct aio {
    aio_context_t context;
};

/* False: errno says why. */
bool aio_init(struct aio *a);
void aio_fini(struct aio *a);

/*
 * All of @ios, ascending by page, from or to where their pages lie in @fd. Neighbours go together;
 * of some that fail together each is tried alone.
 */
void aio_run(struct aio *a, int fd, bool write, struct backing_io *ios, unsigned nr);

#endif /* XTM_BLOCKDEV_AIO_H */
