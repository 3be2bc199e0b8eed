/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/engine/tuner.h"

#include "daemon/engine/miniature.h"

#define SAMPLE_ALL UINT32_MAX

/*
 * Hits by which one rule must lead, of a miniature's room: a 50th to leave
 * the generous rule, a quarter to come back. Half of them, or twice as many,
 * make no great difference; equal ones do (docs/PERFORMANCE.md).
 */
#define LEAD_TO_STRICT   50u
#define LEAD_TO_GENEROUS 4u

/* Puts of the sample after which the strict rule is given a hit: where both do as well, it is
 * taken. */
#define PUTS_FOR_STRICT 192u

/* Guests make pools for nothing, and a tuner takes 34 KiB: so many, 8.5 MiB together. */
#define TUNERS_MOST 256u

struct tuner {
    struct lock lock;
    _Atomic uint64_t held; /* pages of the pool when it last had to evict; 0: not since */
    int32_t lead; /* hits of the generous rule more than of the strict one, within limits */
    uint32_t nr_puts;
    struct miniature strict, generous;
};

static struct tuner *tuner_of(const struct pool *p)
{
    return atomic_load_explicit(&p->tuner, memory_order_acquire);
}

static const struct queue_rule *generous_for(const struct pool *p)
{
    return pool_is_exclusive(p) ? &queue_generous_exclusive : &queue_generous;
}

static void follow(struct pool *p, const struct queue_rule *rule)
{
    atomic_store_explicit(&p->rule, rule, memory_order_relaxed);
}

static void set_sample(struct pool *p, uint32_t below)
{
    atomic_store_explicit(&p->sample_below, below, memory_order_release);
}

static void reset(struct tuner *t, const struct queue_rule *generous)
{
    miniature_init(&t->strict, &queue_strict);
    miniature_init(&t->generous, generous);
    t->lead = 0;
    t->nr_puts = 0;
    atomic_store_explicit(&t->held, 0, memory_order_relaxed);
}

static struct tuner *tuner_make(struct engine *e)
{
    struct tuner *t =
        e->nr_tuners < TUNERS_MOST ? heap_take(&e->heap, 1, sizeof(struct tuner)) : NULL;

    e->nr_tuners += t != NULL;
    return t;
}

void tuner_set_up(struct engine *e, struct pool *p, bool wanted)
{
    struct tuner *t = tuner_of(p);

    if (wanted && !t)
        t = tuner_make(e);
    if (!t) {
        set_sample(p, 0);
        follow(p, generous_for(p));
        return;
    }
    /* Who was about the slot's last pool has left, and who comes late finds an empty sample. */
    lock_take(&t->lock);
    set_sample(p, 0);
    follow(p, generous_for(p));
    if (wanted)
        reset(t, generous_for(p));
    lock_drop(&t->lock);
    if (!wanted)
        return;
    /* release: it is set up */
    atomic_store_explicit(&p->tuner, t, memory_order_release);
    set_sample(p, SAMPLE_ALL);
}

void tuner_free(struct engine *e, struct pool *p)
{
    heap_give(&e->heap, tuner_of(p), 1, sizeof(struct tuner));
}

/* So many of @nr_pages are in the sample, about. */
static uint64_t scaled(uint64_t nr_pages, uint32_t below)
{
    return nr_pages * ((uint64_t)below + 1) >> 32;
}

/* How much room the miniatures need for one page more. */
static uint64_t wanted_room(struct tuner *t, uint32_t below)
{
    uint64_t held = atomic_exchange_explicit(&t->held, 0, memory_order_relaxed);
    uint32_t strict = miniature_nr(&t->strict) + 1, generous = miniature_nr(&t->generous) + 1;
    uint32_t most = strict > generous ? strict : generous;

    if (held != 0) {
        t->nr_puts++;
        return scaled(held, below);
    }
    /* As the pool itself, they do not evict while there is room. */
    return most > t->strict.room ? most : t->strict.room;
}

/* The sample is thinned and widened by quarters, and @room that is needed for it with it. */
static void thin(uint32_t *below, uint64_t *room)
{
    *below = *below / 4 * 3;
    *room = *room * 3 / 4;
}

static void widen(uint32_t *below, uint64_t *room)
{
    *below = *below < SAMPLE_ALL / 4 * 3 ? *below / 3 * 4 : SAMPLE_ALL;
    *room = *room * 4 / 3;
}

/* Fit the miniatures to the pool, and the sample to the miniatures. */
static void make_room(struct pool *p, struct tuner *t)
{
    uint32_t below = atomic_load_explicit(&p->sample_below, memory_order_relaxed);
    uint32_t before = below;
    uint64_t room = wanted_room(t, below);

    while (room > MINIATURE_MOST)
        thin(&below, &room);
    if (room < MINIATURE_MOST / 2 && below < SAMPLE_ALL)
        widen(&below, &room);
    if (below < before) {
        miniature_thin(&t->strict, below);
        miniature_thin(&t->generous, below);
    }
    if (below != before)
        set_sample(p, below);
    t->strict.room = t->generous.room = room ? (uint32_t)room : 1;
}

static void count(struct pool *p, struct tuner *t, int32_t by)
{
    int32_t most = (int32_t)(t->strict.room / LEAD_TO_GENEROUS + 1);
    int32_t least = -(int32_t)(t->strict.room / LEAD_TO_STRICT + 1);

    t->lead += by;
    if (t->lead >= most) {
        t->lead = most;
        follow(p, generous_for(p));
    } else if (t->lead <= least) {
        t->lead = least;
        follow(p, &queue_strict);
    }
}

/* False: somebody else is at it, or the slot has another pool by now. */
static bool begin(const struct pool *p, struct tuner *t)
{
    if (!lock_try(&t->lock))
        return false;
    if (atomic_load_explicit(&p->sample_below, memory_order_relaxed) != 0)
        return true;
    lock_drop(&t->lock);
    return false;
}

void tuner_get(struct pool *p, uint64_t page_hash, bool hit)
{
    struct tuner *t = tuner_of(p);
    bool strict, generous;

    if (!begin(p, t))
        return;
    strict = miniature_get(&t->strict, page_hash);
    generous = miniature_get(&t->generous, page_hash);
    if (pool_is_exclusive(p)) {
        miniature_take(&t->strict, page_hash);
        miniature_take(&t->generous, page_hash);
    } else if (hit && !(strict && generous)) {
        /* Where it is missed, a put would follow, but here none will come. */
        make_room(p, t);
        miniature_put(&t->strict, page_hash);
        miniature_put(&t->generous, page_hash);
    }
    count(p, t, generous - strict);
    lock_drop(&t->lock);
}

void tuner_put(struct pool *p, uint64_t page_hash, bool replaced)
{
    struct tuner *t = tuner_of(p);

    if (!begin(p, t))
        return;
    if (replaced) {
        miniature_get(&t->strict, page_hash);
        miniature_get(&t->generous, page_hash);
    }
    make_room(p, t);
    miniature_put(&t->strict, page_hash);
    miniature_put(&t->generous, page_hash);
    if (t->nr_puts >= PUTS_FOR_STRICT) {
        t->nr_puts = 0;
        count(p, t, -1);
    }
    lock_drop(&t->lock);
}

void tuner_note_pressure(struct pool *p, uint64_t nr_pages)
{
    struct tuner *t = tuner_of(p);

    if (t)
        atomic_store_explicit(&t->held, nr_pages, memory_order_relaxed);
}
