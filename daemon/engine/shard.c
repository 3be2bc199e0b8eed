/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/engine/shard.h"

struct page_match {
    const struct engine *e;
    const struct desc_key *key;
    bool *fetched; /* page_to_copy_is() has asked memory for a frame */
};

static bool page_is(const void *context, uint32_t page)
{
    const struct page_match *m = context;

    return handle_is(&m->e->descs[page], m->key);
}

/*
 * The descriptor and all of the frame at once, before the first says that it is the one. Once: in a
 * store so large that few bits are left for tags a guest's misses would have frames read by
 * the dozen. Measured over memcpy, alone and with requests waiting: 64 lines 1.46 and 0.84, 32 1.44
 * and 0.99, 16 1.48 and 1.02, 8 1.49 and 1.01.
 */
static bool page_to_copy_is(const void *context, uint32_t page)
{
    const struct page_match *m = context;

    if (!*m->fetched) {
        prefetch_to_write(&m->e->descs[page]);
        frame_prefetch(m->e, page, FRAME_LINES);
        *m->fetched = true;
    }
    return page_is(context, page);
}

static uint64_t page_hash_of(const void *context, uint32_t page)
{
    const struct engine *e = context;

    return handle_of_desc(e->seed, &e->descs[page]).page_hash;
}

static void page_prefetch(const void *context, uint32_t page)
{
    const struct engine *e = context;

    prefetch(&e->descs[page]);
}

static unsigned bits_for(uint32_t nr_descs)
{
    return 32u - (unsigned)__builtin_clz(nr_descs);
}

uint32_t shard_tomb_room(const struct engine *e)
{
    uint32_t room = store_super(e->store)->nr_tombstones / e->nr_shards;

    return room < SHARD_MAX_TOMBS ? room : SHARD_MAX_TOMBS;
}

bool shard_init(struct engine *e, struct shard *s)
{
    struct table_owner owner = {e, page_hash_of, page_prefetch};
    uint32_t nr_descs = e->nr_descs / e->nr_shards + 1;
    /* Same-filled pages are beyond it; a table that has to grow for them grows by little. */
    uint32_t fair = store_super(e->store)->nr_frames / e->nr_shards + 1;

    s->leases.salt = (uint32_t)XXH3_64bits_withSeed("lease", 5, e->seed);
    s->tombs = e->tombs + (size_t)(s - e->shards) * shard_tomb_room(e);
    return table_init(&s->pages, &e->heap, bits_for(e->nr_descs), fair, &owner) &&
           object_index_init(&s->objects, &e->heap, e->descs, e->nr_descs, fair, e->seed) &&
           ghosts_init(&s->ghosts, &e->heap, nr_descs - nr_descs / 10);
}

void shard_fini(struct shard *s)
{
    if (s->pages.heap)
        table_fini(&s->pages);
    object_index_fini(&s->objects);
    ghosts_fini(&s->ghosts);
}

void shards_level(struct engine *e)
{
    uint64_t highest = 0;

    for (uint32_t i = 0; i < e->nr_shards; i++) {
        uint64_t here = atomic_load_explicit(&e->shards[i].generation, memory_order_relaxed);

        highest = here > highest ? here : highest;
    }
    for (uint32_t i = 0; i < e->nr_shards; i++) {
        _Atomic uint64_t *generation = &e->shards[i].generation;
        uint64_t here = atomic_load_explicit(generation, memory_order_relaxed);

        while (here < highest &&
               !atomic_compare_exchange_weak_explicit(generation, &here, highest,
                                                      memory_order_relaxed, memory_order_relaxed))
            continue;
    }
}

void shards_pass(struct engine *e)
{
    for (uint32_t i = 0; i < e->nr_shards; i++) {
        lock_take(&e->shards[i].lock);
        lock_drop(&e->shards[i].lock);
    }
}

uint32_t *shard_seek(const struct engine *e, const struct shard *s, const struct handle *h)
{
    struct page_match m = {.e = e, .key = &h->key};

    return table_seek(&s->pages, h->page_hash, page_is, &m);
}

uint32_t *shard_seek_to_copy(const struct engine *e, const struct shard *s, const struct handle *h)
{
    bool fetched = e->emulated; /* nothing to fetch into */
    struct page_match m = {.e = e, .key = &h->key, .fetched = &fetched};

    return table_seek(&s->pages, h->page_hash, page_to_copy_is, &m);
}

/* Is @d under one of the shard's tombstones? */
static bool is_under_tombstone(const struct shard *s, const struct desc *d)
{
    uint64_t generation = live_generation(d->live);

    for (uint32_t i = 0; i < s->nr_tombs; i++) {
        const struct tomb *t = &s->tombs[i];

        if (generation < t->generation && d->index >= t->first && d->index <= t->last &&
            handle_object_is(d, &t->handle.key))
            return true;
    }
    return false;
}

bool shard_page_is_dead(const struct engine *e, const struct shard *s, page_nr page)
{
    const struct desc *d = &e->descs[page];

    return live_generation(d->live) < pool_part_of(e, &e->pools[d->pool], s)->floor ||
           (s->nr_tombs && is_under_tombstone(s, d));
}

void shard_count_page(struct engine *e, struct shard *s, const struct desc *d, uint64_t by)
{
    const struct pool *p = &e->pools[d->pool];
    bool persistent = pool_is_persistent(p);

    if (persistent)
        s->nr_persistent += by;
    else
        s->nr_ephemeral += by;
    if (d->kind != DESC_FILLED)
        return;
    s->nr_filled += by;
    if (!persistent)
        atomic_fetch_add_explicit(&pool_claim(p)->filled, by, memory_order_relaxed);
}

/* False: no memory for an index. */
static bool enter_anew(struct engine *e, struct shard *s, const struct handle *h,
                       const struct shard_new_page *new)
{
    struct desc *d = &e->descs[new->page];
    struct pool *p = &e->pools[h->key.pool];
    bool is_wanted_again;

    /* Before it is in an index: what is put in may have to be found there, to take it out. */
    desc_set_key(d, &h->key);
    if (!object_index_add(&s->objects, h, new->page))
        return false;
    if (!table_insert(&s->pages, h->page_hash, new->page)) {
        object_index_remove(&s->objects, h, new->page);
        return false;
    }
    d->use = 0;
    desc_make_live(d, &h->key, d->kind, new->sum, new->generation);
    is_wanted_again = !pool_is_persistent(p) &&
                      ghosts_take(&s->ghosts, h->page_hash, pool_rule(p)->young_percent);
    queue_push(&pool_part_of(e, p, s)->queue, e->links, e->descs, new->page, is_wanted_again);
    shard_count_page(e, s, d, 1);
    return true;
}

/* The new page's charge stays, and the old one's goes. True: the old one is to be given back. */
static bool replace(struct engine *e, struct shard *s, const struct handle *h,
                    const struct shard_new_page *new)
{
    struct desc *d = &e->descs[new->page], *old = &e->descs[new->old];
    struct pool *p = &e->pools[h->key.pool];
    struct pool_part *part = pool_part_of(e, p, s);
    struct queue *queue = &part->queue;

    d->use = 0;
    desc_make_live(d, &h->key, d->kind, new->sum, new->generation);
    table_replace(&s->pages, new->slot, new->page);
    object_index_swing(&s->objects, h, new->old, new->page);
    if (live_generation(old->live) >= part->floor) {
        queue_replace(queue, e->links, e->descs, new->old, new->page);
    } else {
        /* Not among the dead at the tail: a drain would stop here. */
        queue_remove(queue, e->links, e->descs, new->old);
        queue_push(queue, e->links, e->descs, new->page, false);
    }
    desc_make_dead(old);
    shard_count_page(e, s, d, 1);
    shard_count_page(e, s, old, UINT64_MAX);
    claim_uncharge(pool_claim(p), pool_is_persistent(p));
    return (old->use & USE_PINS) == 0;
}

bool shard_enter(struct engine *e, struct shard *s, const struct handle *h,
                 const struct shard_new_page *new, bool *free_old_out)
{
    *free_old_out = false;
    if (new->old == LAYOUT_NONE)
        return enter_anew(e, s, h, new);
    *free_old_out = replace(e, s, h, new);
    return true;
}

bool shard_remove(struct engine *e, struct shard *s, const struct handle *h, uint32_t *slot)
{
    page_nr page = shard_page_at(s, slot);
    struct desc *d = &e->descs[page];
    struct pool *p = &e->pools[d->pool];

    table_remove(&s->pages, slot);
    object_index_remove(&s->objects, h, page);
    queue_remove(&pool_part_of(e, p, s)->queue, e->links, e->descs, page);
    desc_make_dead(d);
    shard_count_page(e, s, d, UINT64_MAX);
    return (d->use & USE_PINS) == 0;
}

bool shard_kill(struct engine *e, struct shard *s, const struct handle *h, uint32_t *slot)
{
    const struct pool *p = &e->pools[h->key.pool];

    claim_uncharge(pool_claim(p), pool_is_persistent(p));
    return shard_remove(e, s, h, slot);
}

void shard_kill_indexes(struct engine *e, struct shard *s, const struct handle *of,
                        const uint32_t *indexes, unsigned nr, uint64_t generation,
                        struct dead_pages *dead)
{
    struct handle h = *of;

    for (unsigned i = 0; i < nr; i++) {
        uint32_t *slot;

        h.key.index = indexes[i];
        h.page_hash = handle_hash_page(h.object_hash, indexes[i]);
        slot = shard_seek(e, s, &h);
        BUG_UNLESS(slot != NULL);
        if (live_generation(e->descs[shard_page_at(s, slot)].live) < generation)
            shard_kill_into(e, s, &h, slot, dead);
    }
}

void dead_pages_free(struct engine *e, struct dead_pages *dead)
{
    for (unsigned i = 0; i < dead->nr; i++)
        store_page_free(e->store, dead->pages[i]);
    dead->nr = 0;
}
