/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* disk_page.h - one page of a disk at a time, on whichever thread; of disks that keep no batches.
 */
#ifndef TESTS_LIB_DISK_PAGE_H
#define TESTS_LIB_DISK_PAGE_H

#include <string.h>

#include "daemon/blk/disk.h"
#include "daemon/util/bug.h"

static inline enum disk_status disk_page(struct disk *d, unsigned worker, uint32_t page, bool write,
                                         void *buffer)
{
    struct batch_page p = {.page = page, .write = write, .end = DISK_PAGE_SIZE, .data = buffer};
    struct batch b = {.kind = BATCH_TRANSFER, .pages = &p, .nr_pages = 1};
    bool done = disk_run(d, worker, &b);

    BUG_UNLESS(done);
    return p.status;
}

static inline enum disk_status disk_read(struct disk *d, unsigned worker, uint32_t page,
                                         void *buffer)
{
    return disk_page(d, worker, page, false, buffer);
}

static inline enum disk_status disk_write(struct disk *d, unsigned worker, uint32_t page,
                                          const void *buffer)
{
    uint8_t copy[DISK_PAGE_SIZE];

    memcpy(copy, buffer, sizeof(copy));
    return disk_page(d, worker, page, true, copy);
}

#endif /* TESTS_LIB_DISK_PAGE_H */
