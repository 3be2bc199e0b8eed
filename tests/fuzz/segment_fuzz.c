/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Segments that an earlier daemon left, made from bytes: store_open() refuses
 * them with a sentence or gives a store in which everything live is whole.
 *
 *   input: 8 bytes of sizes and lies, then steps of one byte of kind and what
 *   it takes; records are made live by the functions that do it, so that their
 *   check sums are right and what is wrong lies deeper.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/store/record.h"
#include "daemon/store/store.h"
#include "daemon/store/super.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

#define DEMAND(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "not so: %s\n", #condition);                                           \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct input {
    const uint8_t *at;
    size_t left;
};

/* Zeros after the end. */
static void take(struct input *in, void *to, size_t len_bytes)
{
    size_t n = len_bytes < in->left ? len_bytes : in->left;

    memset(to, 0, len_bytes);
    if (n > 0)
        memcpy(to, in->at, n);
    in->at += n;
    in->left -= n;
}

static uint32_t take_number(struct input *in, size_t len_bytes)
{
    uint32_t number = 0;

    take(in, &number, len_bytes);
    return number;
}

/* ---- the segments ---- */

struct segments {
    struct layout_super super; /* as it would be without lies */
    struct geometry geometry;
    int fds[STORE_NR_SEGMENTS];
};

static void put_bytes(const struct segments *g, enum store_segment segment, size_t offset,
                      const void *bytes, size_t len_bytes)
{
    size_t end = g->geometry.len_bytes[segment];

    if (offset >= end)
        return;
    if (len_bytes > end - offset)
        len_bytes = end - offset;
    DEMAND(pwrite(g->fds[segment], bytes, len_bytes, (off_t)offset) == (ssize_t)len_bytes);
}

#define LIE_NUMBERS 1u
#define LIE_CHECK   2u
#define LIE_SIZE    4u

static void make_segments(struct input *in, struct segments *g_out)
{
    uint32_t lies;
    uint32_t wrong;
    struct layout_super written;

    g_out->super = (struct layout_super){.magic = LAYOUT_MAGIC, .version = LAYOUT_VERSION};
    g_out->super.nr_frames = 1 + take_number(in, 2) % 1200;
    g_out->super.nr_descs = g_out->super.nr_frames + take_number(in, 2) % 700;
    g_out->super.nr_accounts = 1 + take_number(in, 1) % 4;
    g_out->super.nr_pools = 1 + take_number(in, 1) % 8;
    g_out->super.nr_tombstones = 4;
    g_out->super.nr_rings = 4;
    super_geometry(&g_out->super, &g_out->geometry);
    lies = take_number(in, 1);
    wrong = take_number(in, 1);

    for (int i = 0; i < STORE_NR_SEGMENTS; i++) {
        size_t size = g_out->geometry.len_bytes[i];

        if (lies & LIE_SIZE && wrong % STORE_NR_SEGMENTS == (unsigned)i)
            size = size / 256 * wrong;
        g_out->fds[i] = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        DEMAND(g_out->fds[i] >= 0 && ftruncate(g_out->fds[i], (off_t)size) == 0);
    }
    written = g_out->super;
    if (lies & LIE_NUMBERS) {
        uint32_t lie = take_number(in, 4);

        memcpy((uint8_t *)&written + wrong % 10 * 4, &lie, sizeof(lie));
    }
    written.check = super_check(&written) ^ (lies & LIE_CHECK ? wrong : 0);
    put_bytes(g_out, STORE_META, 0, &written, sizeof(written));
}

enum step {
    STEP_END = 0,
    STEP_BYTES,
    STEP_POOL,
    STEP_ACCOUNT,
    STEP_TOMBSTONE,
    STEP_RING,
    STEP_DESC,
    STEP_PAGE,
    STEP_HOLE,
    NR_STEPS,
};

static void step_bytes(struct input *in, const struct segments *g)
{
    uint8_t bytes[64];
    enum store_segment segment = (enum store_segment)(take_number(in, 1) % STORE_NR_SEGMENTS);
    size_t offset = take_number(in, 3);
    size_t n = take_number(in, 1) % sizeof(bytes);

    take(in, bytes, n);
    put_bytes(g, segment, offset, bytes, n);
}

static void step_pool(struct input *in, const struct segments *g)
{
    uint32_t slot = take_number(in, 1) % g->super.nr_pools;
    struct pool_rec r = {.flags = take_number(in, 1)};

    r.account = take_number(in, 1);
    if (r.account == 0xff)
        r.account = LAYOUT_NONE;
    r.floor = take_number(in, 1);
    pool_rec_make_live(&r, 1 + take_number(in, 1));
    put_bytes(g, STORE_META, g->geometry.pools + slot * sizeof(r), &r, sizeof(r));
}

static void step_account(struct input *in, const struct segments *g)
{
    uint32_t slot = take_number(in, 1) % g->super.nr_accounts;
    struct account_rec r = {.kind = take_number(in, 1), .id = take_number(in, 2)};

    memset(r.pools, 0xff, sizeof(r.pools));
    r.pools[take_number(in, 1) % TMEMIF_MAX_POOLS] = (uint16_t)take_number(in, 2);
    r.pools[take_number(in, 1) % TMEMIF_MAX_POOLS] = (uint16_t)take_number(in, 1);
    account_rec_make_live(&r, 1 + take_number(in, 1));
    put_bytes(g, STORE_META, g->geometry.accounts + slot * sizeof(r), &r, sizeof(r));
}

static void step_tombstone(struct input *in, const struct segments *g)
{
    uint32_t slot = take_number(in, 1) % g->super.nr_tombstones;
    struct tombstone_rec r = {.pool = take_number(in, 1)};

    r.first = take_number(in, 1);
    r.last = take_number(in, 1);
    tombstone_rec_make_live(&r, 1 + take_number(in, 1));
    put_bytes(g, STORE_META, g->geometry.tombstones + slot * sizeof(r), &r, sizeof(r));
}

static void step_ring(struct input *in, const struct segments *g)
{
    uint32_t slot = take_number(in, 1) % g->super.nr_rings;
    struct ring_rec r;

    take(in, &r, sizeof(r));
    r.account &= 0xff;
    r.live = LIVE_DEAD;
    ring_rec_make_live(&r);
    put_bytes(g, STORE_META, g->geometry.rings + slot * sizeof(r), &r, sizeof(r));
}

static void step_desc(struct input *in, const struct segments *g)
{
    uint32_t n = take_number(in, 2) % g->super.nr_descs;
    struct desc d = {.kind = (uint8_t)take_number(in, 1), .use = 0xff};
    struct desc_key key = {.index = take_number(in, 1)};
    uint64_t generation;
    uint64_t sum = 0;

    key.pool = (uint16_t)take_number(in, 1);
    generation = 1 + take_number(in, 1);
    if (take_number(in, 1) % 4 == 0)
        take(in, &sum, sizeof(sum));
    else
        sum = desc_sum_filled(&key, generation, take_number(in, 1));
    desc_make_live(&d, &key, (enum desc_kind)d.kind, sum, generation);
    put_bytes(g, STORE_DESCS, n * sizeof(d), &d, sizeof(d));
}

static void step_page(struct input *in, const struct segments *g)
{
    size_t n = take_number(in, 2) % g->super.nr_frames;
    uint8_t page[TMEMIF_PAGE_SIZE];

    memset(page, (int)take_number(in, 1), sizeof(page));
    put_bytes(g, STORE_FRAMES, n * sizeof(page), page, sizeof(page));
}

static void step_hole(struct input *in, const struct segments *g)
{
    enum store_segment segment = (enum store_segment)(take_number(in, 1) % STORE_NR_SEGMENTS);
    size_t offset = take_number(in, 3);

    (void)fallocate(g->fds[segment], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
                    (off_t)take_number(in, 2) + 1);
}

static void make_content(struct input *in, const struct segments *g)
{
    static void (*const steps[NR_STEPS])(struct input *, const struct segments *) = {
        [STEP_BYTES] = step_bytes,         [STEP_POOL] = step_pool, [STEP_ACCOUNT] = step_account,
        [STEP_TOMBSTONE] = step_tombstone, [STEP_RING] = step_ring, [STEP_DESC] = step_desc,
        [STEP_PAGE] = step_page,           [STEP_HOLE] = step_hole,
    };

    while (in->left > 0) {
        uint32_t step = take_number(in, 1) % NR_STEPS;

        if (step == STEP_END)
            break;
        steps[step](in, g);
    }
}

/* ---- what must be true of an open store ---- */

static bool pool_lives(struct store *s, uint32_t pool)
{
    return pool < store_super(s)->nr_pools && store_pools(s)[pool].live != LIVE_DEAD;
}

static void demand_records(struct store *s)
{
    const struct layout_super *super = store_super(s);

    for (uint32_t i = 0; i < super->nr_pools; i++) {
        const struct pool_rec *r = &store_pools(s)[i];

        DEMAND(r->live == LIVE_DEAD || pool_rec_is_whole(r));
        DEMAND(r->live == LIVE_DEAD || r->account == LAYOUT_NONE ||
               r->account < super->nr_accounts);
    }
    for (uint32_t i = 0; i < super->nr_accounts; i++) {
        const struct account_rec *r = &store_accounts(s)[i];

        if (r->live == LIVE_DEAD)
            continue;
        DEMAND(account_rec_is_whole(r));
        for (uint32_t id = 0; id < TMEMIF_MAX_POOLS; id++)
            DEMAND(r->pools[id] == LAYOUT_NO_SLOT || pool_lives(s, r->pools[id]));
    }
    for (uint32_t i = 0; i < super->nr_tombstones; i++) {
        const struct tombstone_rec *r = &store_tombstones(s)[i];

        DEMAND(r->live == LIVE_DEAD ||
               (tombstone_rec_is_whole(r) && pool_lives(s, r->pool) && r->first <= r->last));
    }
    for (uint32_t i = 0; i < super->nr_rings; i++) {
        const struct ring_rec *r = &store_rings(s)[i];

        if (r->live == LIVE_DEAD)
            continue;
        DEMAND(ring_rec_is_whole(r) && r->phase <= RECORD_DONE);
        DEMAND(r->account < super->nr_accounts);
        DEMAND(store_accounts(s)[r->account].live != LIVE_DEAD);
    }
}

/* Returns how many pages live. */
static uint32_t demand_pages(struct store *s)
{
    uint32_t nr_frames = store_super(s)->nr_frames;
    uint32_t nr[2] = {0, 0};

    for (page_nr p = 0; (p = store_next_live(s, p)) != LAYOUT_NONE; p++) {
        const struct desc *d = store_desc(s, p);

        DEMAND(p < store_super(s)->nr_descs && desc_is_whole(d) && d->use == 0);
        DEMAND(d->kind == (p < nr_frames ? DESC_FRAME : DESC_FILLED));
        DEMAND(pool_lives(s, d->pool));
        if (d->kind == DESC_FRAME)
            (void)desc_content_is_whole(d, store_frame(s, p)); /* every byte can be read */
        else
            DEMAND(desc_content_is_whole(d, NULL));
        nr[d->kind == DESC_FILLED]++;
    }
    DEMAND(store_usage(s).frames_used == nr[0]);
    DEMAND(store_usage(s).filled_used == nr[1]);
    return nr[0] + nr[1];
}

/* Every page that is not live can be had, once, and no other. */
static void demand_free_pages(struct store *s)
{
    uint32_t nr_frames = store_super(s)->nr_frames;
    uint32_t nr_live = store_usage(s).frames_used;
    uint32_t nr = 0;
    page_nr p;

    while ((p = store_page_alloc(s, DESC_FRAME)) != LAYOUT_NONE) {
        DEMAND(p < nr_frames && store_desc(s, p)->live == LIVE_DEAD);
        *(uint32_t *)store_frame(s, p) = p;
        nr++;
    }
    DEMAND(nr == nr_frames - nr_live);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    struct input in = {.at = data, .left = len_bytes};
    struct store_damage damage;
    struct segments g;
    struct store *s = NULL;
    const char *why = NULL;
    int again[STORE_NR_SEGMENTS];
    uint32_t nr;

    make_segments(&in, &g);
    make_content(&in, &g);
    if (!store_open(g.fds, &s, &damage, &why)) {
        DEMAND(why != NULL);
        for (int i = 0; i < STORE_NR_SEGMENTS; i++)
            DEMAND(fcntl(g.fds[i], F_GETFD) < 0);
        return 0;
    }
    demand_records(s);
    nr = demand_pages(s);
    demand_free_pages(s);

    /* What was damaged is gone: the next daemon finds the same and nothing to drop. */
    for (int i = 0; i < STORE_NR_SEGMENTS; i++)
        again[i] = fcntl(store_fd(s, (enum store_segment)i), F_DUPFD_CLOEXEC, 0);
    store_close(s);
    DEMAND(store_open(again, &s, &damage, &why));
    DEMAND(damage.descs == 0 && damage.records == 0);
    demand_records(s);
    DEMAND(demand_pages(s) == nr);
    store_close(s);
    return 0;
}
