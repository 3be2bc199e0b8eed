/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * shard.h - the pages of those objects that hash to one place, under one lock.
 *
 * Functions are for the holder of the shard's lock unless they say otherwise.
 */
#ifndef XTM_ENGINE_SHARD_H
#define XTM_ENGINE_SHARD_H

#include "daemon/engine/state.h"

/* Tombstones that one shard may have. Any thread, no lock. */
uint32_t shard_tomb_room(const struct engine *e);

/* One thread, before and after all others. */
bool shard_init(struct engine *e, struct shard *s);
void shard_fini(struct shard *s);

/* Generations end some day. Puts are refused while there are enough left for flushes and epochs. */
#define SHARD_LAST_PUT (LIVE_GENERATION_MAX - (1ull << 32))

/* Any thread, no lock. */
static inline bool shard_may_put(const struct shard *s)
{
    return atomic_load_explicit(&s->generation, memory_order_relaxed) < SHARD_LAST_PUT;
}

/*
 * A generation that no page here has had. Any thread, no lock: the check sum
 * of a page is computed from it before the lock is taken.
 */
static inline uint64_t shard_take_generation(struct shard *s)
{
    return atomic_fetch_add_explicit(&s->generation, 1, memory_order_relaxed) + 1;
}

/*
 * Have the generations of all shards go on from the highest of them. Done now
 * and then, it makes them tell which of two pages came first, about, though
 * they be in two shards. Any thread, no lock.
 */
void shards_level(struct engine *e);

/* The place of the page of @h in the index, dead or not; NULL if there is none. */
uint32_t *shard_seek(const struct engine *e, const struct shard *s, const struct handle *h);
/* The same, and what it finds is about to be copied out: the frame is asked of memory, too. */
uint32_t *shard_seek_to_copy(const struct engine *e, const struct shard *s, const struct handle *h);

/* ---- guesses at what memory will be needed: any thread, which does not hold the lock ---- */

/* What leads to the page of @h in both indexes. */
static inline void shard_prefetch(const struct shard *s, const struct handle *h)
{
    table_prefetch(&s->pages, h->page_hash);
    table_prefetch(&s->objects.objects, h->object_hash);
}

/* The page with @page_hash, or another one with the same tag, or LAYOUT_NONE. */
static inline page_nr shard_guess(struct shard *s, uint64_t page_hash)
{
    uint32_t page;
    bool ok;

    /* or the table could be moved and freed under our eyes */
    lock_take(&s->lock);
    ok = table_guess(&s->pages, page_hash, &page);
    lock_drop(&s->lock);
    return ok ? page : LAYOUT_NONE;
}

#define FRAME_LINES (TMEMIF_PAGE_SIZE / CACHE_LINE)

/*
 * The first @nr_lines cache lines of a page's frame, a multiple of four. A same-filled page has no
 * frame.
 */
static inline void frame_prefetch(const struct engine *e, page_nr page, unsigned nr_lines)
{
    if (page < e->nr_frames)
        prefetch_lines(engine_frame(e, page), nr_lines);
}

/* The neighbours in its queue of the page that shard_guess() finds. */
static inline void shard_prefetch_links(const struct engine *e, struct shard *s, uint64_t page_hash)
{
    struct page_link at = {LAYOUT_NONE, LAYOUT_NONE};
    uint32_t page;

    lock_take(&s->lock);
    if (table_guess(&s->pages, page_hash, &page))
        at = e->links[page];
    lock_drop(&s->lock);
    if (at.to_head != LAYOUT_NONE)
        prefetch_to_write(&e->links[at.to_head]);
    if (at.to_tail != LAYOUT_NONE)
        prefetch_to_write(&e->links[at.to_tail]);
}

static inline page_nr shard_page_at(const struct shard *s, const uint32_t *slot)
{
    return table_value(&s->pages, *slot);
}

/* Whoever was in a shard has left it, and who comes sees what was stored before the call. */
void shards_pass(struct engine *e);

/*
 * Count the page of @d, 1 or with UINT64_MAX -1, for the shard, and an ephemeral one without a
 * frame for its pool's claim, too. What is charged to a claim is counted by whoever charges it.
 */
void shard_count_page(struct engine *e, struct shard *s, const struct desc *d, uint64_t by);

/* Is a page that stands in the index dead, by a new epoch of its pool or a tombstone? */
bool shard_page_is_dead(const struct engine *e, const struct shard *s, page_nr page);

/*
 * Make @page of @h, filled and summed, live: in place of @old, whose place in
 * the index is @slot, or anew (@old LAYOUT_NONE, @slot NULL). It has been
 * charged. False: no memory for the index, nothing has changed. The old page
 * is dead then; true in *@free_old_out: it is to be given back.
 */
struct shard_new_page {
    page_nr page;
    uint64_t generation;
    uint64_t sum;
    uint32_t *slot;
    page_nr old;
};
bool shard_enter(struct engine *e, struct shard *s, const struct handle *h,
                 const struct shard_new_page *new, bool *free_old_out);

/*
 * The page in @slot dies: out of the index, the queue and the counters, and
 * uncharged. True: the caller gives it back to the store, best after the lock
 * is dropped; else the last one that unpins it does.
 */
bool shard_kill(struct engine *e, struct shard *s, const struct handle *h, uint32_t *slot);
/* The same of a page that its claim has given up already. */
bool shard_remove(struct engine *e, struct shard *s, const struct handle *h, uint32_t *slot);

/* Pages that died under a lock, to be given back after it. */
#define SHARD_SLICE 64u
struct dead_pages {
    unsigned nr;
    page_nr pages[SHARD_SLICE];
};
/* None yet. The array is not cleared: it is read as far as it was written. */
static inline void dead_pages_begin(struct dead_pages *dead)
{
    dead->nr = 0;
}
/* After the lock. */
void dead_pages_free(struct engine *e, struct dead_pages *dead);

#define ANY_GENERATION (LIVE_GENERATION_MAX + 1)
/*
 * Kill those pages of the object of @of at @indexes whose generation is below @generation, and add
 * them to @dead, which has room. All are in the index.
 */
void shard_kill_indexes(struct engine *e, struct shard *s, const struct handle *of,
                        const uint32_t *indexes, unsigned nr, uint64_t generation,
                        struct dead_pages *dead);

/* Kill the page in @slot and add it to @dead, which has room. */
static inline void shard_kill_into(struct engine *e, struct shard *s, const struct handle *h,
                                   uint32_t *slot, struct dead_pages *dead)
{
    page_nr page = shard_page_at(s, slot);

    if (shard_kill(e, s, h, slot))
        dead->pages[dead->nr++] = page;
}

#endif /* XTM_ENGINE_SHARD_H */
