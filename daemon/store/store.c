/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/store/inspect.h"
#include "daemon/store/pages.h"
#include "daemon/store/segment.h"
#include "daemon/store/super.h"
#include "daemon/util/bug.h"

struct store {
    struct layout_super super; /* a copy that was checked; the segment's is not read again */
    struct segment segments[STORE_NR_SEGMENTS];
    struct tables tables;
    struct pages pages;
    struct store_damage damage;
};

const char *const store_segment_names[STORE_NR_SEGMENTS] = {
    [STORE_META] = "xentmem-meta",
    [STORE_DESCS] = "xentmem-descs",
    [STORE_FRAMES] = "xentmem-frames",
};

static const char no_heap[] = "no memory for the store's own tables";

static struct store *store_new(void)
{
    struct store *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    for (int i = 0; i < STORE_NR_SEGMENTS; i++)
        s->segments[i] = SEGMENT_NONE;
    return s;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    pages_fini(&s->pages);
    for (int i = 0; i < STORE_NR_SEGMENTS; i++)
        segment_close(&s->segments[i]);
    free(s);
}

/* Everything that needs the segments mapped and s->super set. */
static bool store_begin(struct store *s, const struct geometry *g, const char **why_out)
{
    unsigned char *meta = s->segments[STORE_META].base;

    s->tables = (struct tables){
        .super = &s->super,
        .accounts = (struct account_rec *)(meta + g->accounts),
        .pools = (struct pool_rec *)(meta + g->pools),
        .tombstones = (struct tombstone_rec *)(meta + g->tombstones),
        .rings = (struct ring_rec *)(meta + g->rings),
    };
    /* META is written without asking, so all of it has memory from the start. */
    if (!segment_back(&s->segments[STORE_META], 0, s->segments[STORE_META].len_bytes)) {
        *why_out = "no memory for the store's records";
        return false;
    }
    if (!pages_init(&s->pages, (struct desc *)s->segments[STORE_DESCS].base, &s->super,
                    &s->segments[STORE_DESCS], &s->segments[STORE_FRAMES])) {
        *why_out = no_heap;
        return false;
    }
    return true;
}

/* One store, so that a kill leaves the old number or the new one. */
static void store_count_incarnation(struct store *s)
{
    struct layout_super *shared = (struct layout_super *)s->segments[STORE_META].base;

    s->super.incarnation++;
    shared->incarnation = s->super.incarnation;
}

bool store_create(const struct store_config *config, struct store **store_out, const char **why_out)
{
    struct store *s = store_new();
    struct geometry g;
    bool ok = false;

    if (!s) {
        *why_out = no_heap;
        return false;
    }
    *why_out = super_init(&s->super, config);
    if (*why_out)
        goto out;
    super_geometry(&s->super, &g);
    for (int i = 0; i < STORE_NR_SEGMENTS; i++)
        if (!segment_create(store_segment_names[i], g.len_bytes[i], &s->segments[i], why_out))
            goto out;
    if (!store_begin(s, &g, why_out))
        goto out;
    memcpy(s->segments[STORE_META].base, &s->super, sizeof(s->super));

    *store_out = s;
    s = NULL;
    ok = true;
out:
    store_close(s);
    return ok;
}

/* Read before anything is mapped: its numbers say what the sizes ought to be. */
static const char *read_super(int fd, struct layout_super *super_out)
{
    ssize_t r = pread(fd, super_out, sizeof(*super_out), 0);

    if (r < 0)
        return strerrordesc_np(errno);
    if ((size_t)r < sizeof(*super_out))
        return "the segment of records is too short for a superblock";
    return super_why_refused(super_out);
}

bool store_open(const int fds[STORE_NR_SEGMENTS], struct store **store_out,
                struct store_damage *damage_out, const char **why_out)
{
    int owned[STORE_NR_SEGMENTS] = {fds[STORE_META], fds[STORE_DESCS], fds[STORE_FRAMES]};
    struct store *s = store_new();
    struct geometry g;
    bool ok = false;

    if (!s) {
        *why_out = no_heap;
        goto out;
    }
    *why_out = read_super(owned[STORE_META], &s->super);
    if (*why_out)
        goto out;
    super_geometry(&s->super, &g);
    for (int i = 0; i < STORE_NR_SEGMENTS; i++)
        if (!segment_adopt(&owned[i], g.len_bytes[i], &s->segments[i], why_out))
            goto out;
    if (!store_begin(s, &g, why_out))
        goto out;
    store_count_incarnation(s);
    inspect_records(&s->tables, &s->damage);
    *why_out = inspect_pages(&s->pages, &s->tables, &s->damage);
    if (*why_out)
        goto out;

    *damage_out = s->damage;
    *store_out = s;
    s = NULL;
    ok = true;
out:
    for (int i = 0; i < STORE_NR_SEGMENTS; i++)
        if (owned[i] >= 0)
            close(owned[i]);
    store_close(s);
    return ok;
}

struct store_damage *store_damage(struct store *s)
{
    return &s->damage;
}

void store_damage_duplicates(struct store *s, uint32_t slot, uint64_t nr)
{
    s->damage.duplicates += nr;
    s->damage.pools[slot / 64] |= 1ull << slot % 64;
}

static bool has_pool(const struct store_damage *damage, uint32_t slot)
{
    return damage->pools[slot / 64] >> slot % 64 & 1;
}

bool store_damage_touches(struct store *s, uint32_t slot)
{
    return slot < LAYOUT_MAX_POOLS &&
           (has_pool(&s->damage, slot) || has_pool(&s->damage, LAYOUT_MAX_POOLS));
}

int store_fd(const struct store *s, enum store_segment segment)
{
    return s->segments[segment].fd;
}

const struct layout_super *store_super(const struct store *s)
{
    return &s->super;
}

struct account_rec *store_accounts(struct store *s)
{
    return s->tables.accounts;
}

struct pool_rec *store_pools(struct store *s)
{
    return s->tables.pools;
}

struct tombstone_rec *store_tombstones(struct store *s)
{
    return s->tables.tombstones;
}

struct ring_rec *store_rings(struct store *s)
{
    return s->tables.rings;
}

struct ring_rec *store_dead_ring(struct store *s)
{
    for (uint32_t i = 0; i < store_super(s)->nr_rings; i++) {
        if (store_rings(s)[i].live == LIVE_DEAD)
            return &store_rings(s)[i];
    }
    return NULL;
}

page_nr store_page_alloc(struct store *s, enum desc_kind kind)
{
    return pages_alloc(&s->pages, kind);
}

void store_page_free(struct store *s, page_nr page)
{
    pages_free(&s->pages, page < s->super.nr_frames ? DESC_FRAME : DESC_FILLED, page);
}

page_nr store_next_live(const struct store *s, page_nr from)
{
    page_nr page = depot_next_live(&s->pages.depots[0], from);

    return page != LAYOUT_NONE ? page : depot_next_live(&s->pages.depots[1], from);
}

struct desc *store_desc(struct store *s, page_nr page)
{
    BUG_UNLESS(page < s->super.nr_descs);
    return (struct desc *)s->segments[STORE_DESCS].base + page;
}

void *store_frame(struct store *s, page_nr page)
{
    BUG_UNLESS(page < s->super.nr_frames);
    return s->segments[STORE_FRAMES].base + (size_t)page * TMEMIF_PAGE_SIZE;
}

void store_set_limit(struct store *s, uint32_t nr_frames)
{
    pages_set_limit(&s->pages, DESC_FRAME, nr_frames);
}

struct store_usage store_usage(const struct store *s)
{
    const struct depot *frames = &s->pages.depots[0];

    return (struct store_usage){
        .limit = atomic_load(&frames->limit),
        .frames_used = pages_used(&s->pages, DESC_FRAME),
        .filled_used = pages_used(&s->pages, DESC_FILLED),
        .frames_taken = atomic_load(&frames->nr_backed),
    };
}

unsigned store_shrink(struct store *s, unsigned nr_chunks)
{
    return pages_shrink(&s->pages, DESC_FRAME, nr_chunks);
}
