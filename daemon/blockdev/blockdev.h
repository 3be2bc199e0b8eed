/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * blockdev.h - block devices of this machine, as backings of caches (daemon/blk/backing.h).
 *
 * DEVICE is a name below /dev. A device is opened for direct I/O and for ourselves alone: neither
 * it, nor a partition of it or what it is a partition of, can be mounted or opened so by another.
 */
#ifndef XTM_BLOCKDEV_BLOCKDEV_H
#define XTM_BLOCKDEV_BLOCKDEV_H

#include "daemon/blk/backing.h"

extern const struct backing_source blockdev_source;

/*
 * A device that is open as @fd, which is its own from now on, closed in case of failure. For
 * blockdev_source, and for tests of what is below it: @fd may be a file.
 */
bool blockdev_take(int fd, const struct backing *facts, struct backing **backing_out,
                   const char **why_out);

#endif /* XTM_BLOCKDEV_BLOCKDEV_H */
