/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk_bench.c - what disks take beside their pages: docs/PERFORMANCE.md says what each figure is.
 *
 *     disk_bench [--mib N]
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/blk/base.h"
#include "daemon/blk/disks.h"
#include "daemon/util/malloc.h"
#include "tests/bench/bed.h"
#include "tests/bench/figures.h"
#include "tests/bench/footprint.h"
#include "tests/lib/disk_page.h"

#define PAGES_PER_MIB 256u
#define NR_CLONES     500u
/* Frames that the entry of the disk and puts under way take. */
#define SPARE_FRAMES 64u

struct table {
    struct store *store;
    struct engine *e;
    struct disks *disks;
};

static void table_make(struct table *t, uint32_t nr_frames)
{
    struct store_config store = {.nr_frames = nr_frames};
    struct engine_config config = bed_config();
    struct disks_config disks;
    struct disks_found found;
    const char *why;

    config.nr_shards = engine_shards_for(config.nr_workers);
    config.nr_workers++; /* the control thread, as in the daemon */
    MUST(store_create(&store, &t->store, &why));
    t->e = engine_create(t->store, &config);
    MUST(t->e != NULL);
    disks =
        (struct disks_config){.engine = t->e, .store = t->store, .nr_workers = config.nr_workers};
    MUST(disks_create(&disks, &t->disks, &found, &why));
}

static void table_end(struct table *t)
{
    disks_destroy(t->disks);
    engine_destroy(t->e);
    store_close(t->store);
}

static struct disk *table_open(struct table *t, const struct target *target, uint32_t domid)
{
    const struct disk_owner owner = {.domid = domid};
    struct disk *disk;
    const char *why;

    MUST(disks_open(t->disks, target, &owner, &disk, &why));
    return disk;
}

/* What the system has given, but for so many frames. */
static uint64_t bytes_taken(const struct table *t, uint32_t nr_frames)
{
    return footprint_segment_bytes(t->store) + footprint_heap_bytes() -
           (uint64_t)nr_frames * DISK_PAGE_SIZE;
}

/*
 * A swap disk that fills the store, in no order: what its pages take. What a manager with an
 * empty disk has taken, however large it is, is no page's.
 */
static void bench_swap(uint32_t nr_pages, struct figure *f)
{
    const struct target target = {.kind = TARGET_SWAP, .nr_pages = nr_pages};
    uint64_t page[DISK_PAGE_SIZE / sizeof(uint64_t)], random = 0x9e3779b97f4a7c15ull, before;
    uint32_t *order = malloc(nr_pages * sizeof(*order));
    struct table t;
    struct disk *d;

    MUST(order != NULL);
    for (uint32_t i = 0; i < nr_pages; i++)
        order[i] = i;
    random_shuffle(&random, order, nr_pages);
    for (size_t i = 0; i < sizeof(page) / sizeof(*page); i++)
        page[i] = random_next(&random);
    table_make(&t, nr_pages + SPARE_FRAMES);
    d = table_open(&t, &target, 1);
    before = bytes_taken(&t, store_usage(t.store).frames_taken);
    for (uint32_t i = 0; i < nr_pages; i++) {
        page[0] = order[i];
        MUST(disk_write(d, 0, order[i], page) == DISK_OK);
    }
    figure_add(f, (double)(bytes_taken(&t, nr_pages) - before) / nr_pages);
    table_end(&t);
    free(order);
}

/* What the system has given for records and pages of clones that have written nothing. */
static uint64_t clone_bytes(const struct table *t)
{
    return footprint_heap_bytes() +
           (uint64_t)store_usage(t->store).frames_used * (DISK_PAGE_SIZE + sizeof(struct desc));
}

static void bench_clones(uint32_t nr_pages, struct figure *f)
{
    const struct target target = {.kind = TARGET_CLONE, .base = "root"};
    uint64_t page[DISK_PAGE_SIZE / sizeof(uint64_t)], before;
    struct table t;

    table_make(&t, nr_pages + 2 * NR_CLONES);
    memset(page, 0x5a, sizeof(page));
    MUST(base_import_begin(t.disks, "root", 1, &t) == TMEMIF_OK);
    for (uint32_t i = 0; i < nr_pages; i++) {
        page[0] = i;
        MUST(base_import_write(t.disks, 1, i, 1, page) == TMEMIF_OK);
    }
    MUST(base_import_end(t.disks, 1, nr_pages) == TMEMIF_OK);
    table_open(&t, &target, 1); /* whatever the first one alone takes */
    before = clone_bytes(&t);
    for (uint32_t i = 0; i < NR_CLONES; i++) {
        struct disk *d = table_open(&t, &target, 2 + i);

        MUST(disk_read(d, 0, i, page) == DISK_OK && page[0] == i);
    }
    figure_add(f, (double)(clone_bytes(&t) - before) / NR_CLONES);
    table_end(&t);
}

int main(int argc, char **argv)
{
    static const struct option known[] = {{"mib", required_argument, NULL, 'm'}, {0}};
    struct figure swap = {.name = "swap_overhead_bytes_per_page"};
    struct figure clone = {.name = "clone_overhead_bytes"};
    unsigned long mib = 4096;
    int c;

    while ((c = getopt_long(argc, argv, "", known, NULL)) == 'm')
        mib = strtoul(optarg, NULL, 10);
    if (c != -1 || optind != argc || mib < 128 || mib > 1u << 20) {
        fprintf(stderr, "usage: disk_bench [--mib N (128 and up)]\n");
        return 1;
    }
    malloc_settle(); /* as the daemon does */
    bench_swap((uint32_t)mib * PAGES_PER_MIB, &swap);
    bench_clones(16 * PAGES_PER_MIB, &clone);
    figure_print(&swap);
    figure_print(&clone);
    return 0;
}
