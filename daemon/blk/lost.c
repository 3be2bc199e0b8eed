/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/blk/lost.h"

static bool run(struct disk *d, unsigned worker, struct batch *b)
{
    (void)d;
    (void)worker;
    for (uint32_t i = 0; b->kind == BATCH_TRANSFER && i < b->nr_pages; i++)
        b->pages[i].status = DISK_IO;
    b->nr_done = 0;
    b->status = DISK_IO;
    return true;
}

static const struct disk_ops lost_ops = {.run = run};

/* As large as can be: whatever was within the disk's bounds is now. */
void lost_disk_init(struct disk *d)
{
    *d = (struct disk){.ops = &lost_ops, .nr_pages = UINT32_MAX, .discards = true, .lasting = true};
}

bool disk_is_lost(const struct disk *d)
{
    return d->ops == &lost_ops;
}
