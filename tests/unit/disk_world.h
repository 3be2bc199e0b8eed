/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk_world.h - an engine with a table of disks over it, for tests.
 *
 * Worker 0 does what guests ask for; the last worker is the control thread's.
 */
#ifndef TESTS_DISK_WORLD_H
#define TESTS_DISK_WORLD_H

#include <unistd.h>

#include "daemon/blk/base.h"
#include "daemon/blk/disks.h"
#include "tests/lib/disk_page.h"
#include "tests/unit/engine_world.h"

struct disk_world {
    struct world w;
    struct disks *disks;
    struct disks_found found; /* by the last restart */
};

static inline void disks_make(struct disk_world *dw)
{
    const struct disks_config config = {
        .engine = dw->w.e, .store = dw->w.store, .nr_workers = dw->w.config.nr_workers};
    const char *why;

    WORLD_MUST(disks_create(&config, &dw->disks, &dw->found, &why));
    disks_taken_up(dw->disks); /* there are no guests to take them up */
}

static inline struct disk_world disk_world_make(uint32_t nr_frames, uint32_t nr_filled)
{
    struct disk_world dw = {.w = world_make(nr_frames, nr_filled, 3, 4)};

    disks_make(&dw);
    return dw;
}

static inline void disk_world_end(struct disk_world *dw)
{
    disks_destroy(dw->disks);
    world_end(&dw->w);
}

/* The daemon is killed and another one takes the segments up. */
static inline void disk_world_restart(struct disk_world *dw)
{
    struct store_damage damage;
    int fds[STORE_NR_SEGMENTS];
    const char *why;

    for (unsigned i = 0; i < STORE_NR_SEGMENTS; i++) {
        fds[i] = dup(store_fd(dw->w.store, (enum store_segment)i));
        WORLD_MUST(fds[i] >= 0);
    }
    disks_destroy(dw->disks);
    engine_destroy(dw->w.e);
    store_close(dw->w.store);
    WORLD_MUST(store_open(fds, &dw->w.store, &damage, &why));
    dw->w.e = engine_create(dw->w.store, &dw->w.config);
    WORLD_MUST(dw->w.e != NULL);
    disks_make(dw);
}

static inline struct target swap_of(uint32_t nr_pages)
{
    return (struct target){.kind = TARGET_SWAP, .nr_pages = nr_pages};
}

/* @name "": it ends with its guest. */
static inline struct target clone_of(const char *base, const char *name)
{
    struct target target = {.kind = TARGET_CLONE};

    strncpy(target.base, base, sizeof(target.base) - 1);
    strncpy(target.name, name, sizeof(target.name) - 1);
    return target;
}

/* The disk of a guest, or NULL. */
static inline struct disk *open_disk(struct disk_world *dw, struct target target, uint32_t domid)
{
    const struct disk_owner owner = {.domid = domid, .vdev = 51712};
    struct disk *disk;
    const char *why;

    return disks_open(dw->disks, &target, &owner, &disk, &why) ? disk : NULL;
}

/* What it was attached by has ended. */
static inline void forget_disk(struct disk_world *dw, uint32_t domid)
{
    disks_forget(dw->disks, &(struct disk_owner){.domid = domid, .vdev = 51712});
}

static inline struct disk_ref ref_of(const char *name, uint32_t domid)
{
    struct disk_ref ref = {.owner = {.domid = domid, .vdev = 51712}};

    strncpy(ref.name, name, sizeof(ref.name) - 1);
    return ref;
}

/* Bytes [first, end) of a page. */
static inline enum disk_status write_part(struct disk *d, unsigned worker, uint32_t page,
                                          uint16_t first, uint16_t end, int value)
{
    uint8_t data[DISK_PAGE_SIZE];
    struct batch_page p = {.page = page, .write = true, .first = first, .end = end, .data = data};
    struct batch b = {.kind = BATCH_TRANSFER, .pages = &p, .nr_pages = 1};

    memset(data, value, sizeof(data));
    WORLD_MUST(disk_run(d, worker, &b));
    return p.status;
}

static inline enum disk_status disk_discard(struct disk *d, unsigned worker, uint32_t first,
                                            uint32_t nr, uint32_t *done_out)
{
    struct batch b = {.kind = BATCH_DISCARD, .first = first, .nr = nr};

    WORLD_MUST(disk_run(d, worker, &b));
    *done_out = b.nr_done;
    return b.status;
}

static inline enum disk_status write_tag(struct disk *d, uint32_t page, uint64_t tag)
{
    uint64_t buffer[DISK_PAGE_SIZE / sizeof(uint64_t)];

    page_fill(buffer, tag);
    return disk_write(d, 0, page, buffer);
}

static inline enum disk_status write_word(struct disk *d, uint32_t page, uint32_t word)
{
    uint32_t buffer[DISK_PAGE_SIZE / sizeof(uint32_t)];

    for (unsigned i = 0; i < DISK_PAGE_SIZE / sizeof(uint32_t); i++)
        buffer[i] = word;
    return disk_write(d, 0, page, buffer);
}

/* Can the page be read, and is it that of @tag? */
static inline bool has_tag(struct disk *d, uint32_t page, uint64_t tag)
{
    uint64_t buffer[DISK_PAGE_SIZE / sizeof(uint64_t)];

    return disk_read(d, 0, page, buffer) == DISK_OK && page_has(buffer, tag);
}

static inline bool has_word(struct disk *d, uint32_t page, uint32_t word)
{
    uint32_t buffer[DISK_PAGE_SIZE / sizeof(uint32_t)];

    if (disk_read(d, 0, page, buffer) != DISK_OK)
        return false;
    for (unsigned i = 0; i < DISK_PAGE_SIZE / sizeof(uint32_t); i++) {
        if (buffer[i] != word)
            return false;
    }
    return true;
}

static inline enum disk_status read_status(struct disk *d, uint32_t page)
{
    uint8_t buffer[DISK_PAGE_SIZE];

    return disk_read(d, 0, page, buffer);
}

static inline enum disk_status discard(struct disk *d, uint32_t first, uint32_t nr)
{
    enum disk_status rc = DISK_OK;

    while (nr && rc == DISK_OK) {
        uint32_t done;

        rc = disk_discard(d, 0, first, nr, &done);
        WORLD_MUST(rc != DISK_OK || (done > 0 && done <= nr));
        first += done;
        nr -= done;
    }
    return rc;
}

/* What is said of a disk or base. */
static inline bool find_info(struct disk_world *dw, bool base, const char *name, uint32_t domid,
                             struct disk_info *info_out)
{
    uint32_t cursor = 0;

    while (disks_next(dw->disks, &cursor, info_out)) {
        if (info_out->is_base == base && strcmp(info_out->name, name) == 0 &&
            (name[0] || info_out->owner.domid == domid))
            return true;
    }
    return false;
}

static inline unsigned nr_listed(struct disk_world *dw)
{
    struct disk_info info;
    uint32_t cursor = 0;
    unsigned nr = 0;

    while (disks_next(dw->disks, &cursor, &info))
        nr++;
    return nr;
}

/* A base of pages with tags @tag, @tag + 1 ... at every other page. */
static inline void make_base(struct disk_world *dw, const char *name, uint32_t nr_pages,
                             uint64_t tag)
{
    uint64_t buffer[DISK_PAGE_SIZE / sizeof(uint64_t)];

    WORLD_MUST(base_import_begin(dw->disks, name, tag + 1, dw) == TMEMIF_OK);
    for (uint32_t n = 0; n < nr_pages; n += 2) {
        page_fill(buffer, tag + n);
        WORLD_MUST(base_import_write(dw->disks, tag + 1, n, 1, buffer) == TMEMIF_OK);
    }
    WORLD_MUST(base_import_end(dw->disks, tag + 1, nr_pages) == TMEMIF_OK);
}

#endif /* TESTS_DISK_WORLD_H */
