/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lost.h - what a frontend has whose disk is no more: every request is answered, with an error.
 *
 * A frontend waits for its answers for ever, and nobody else can give them.
 */
#ifndef XTM_BLK_LOST_H
#define XTM_BLK_LOST_H

#include "daemon/blk/disk.h"

/* One will do for all frontends; it is not in the table of disks, and nobody closes it. */
void lost_disk_init(struct disk *d);
bool disk_is_lost(const struct disk *d);

#endif /* XTM_BLK_LOST_H */
