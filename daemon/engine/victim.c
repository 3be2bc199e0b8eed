/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/engine/victim.h"

#include "daemon/engine/shard.h"
#include "daemon/engine/tuner.h"

/* A choice of pool, shard and queue is good for so many pages: choosing reads what all write. */
#define CHOICE_PAGES_MOST 16u
/* but of no more than one part in so many of the queue there, which would run ahead of the others
 */
#define CHOICE_PART 32u

/*
 * Used pages that go round or pass to a main queue before shard and queue are chosen again: one
 * for so many shards, which choosing looks at, and one for so many pages of the queue. Going on
 * in one shard until something is found means to use up what its few pages have been used, and
 * to evict from there what is better than most of the pool (docs/PERFORMANCE.md, "Eviction").
 */
#define MOVES_SHARDS 32u
#define MOVES_PART   1024u
/* For one victim. If all of them were used, the next page goes. */
#define MOVES_MOST 128u

/* A choice may be overtaken by others; so many times there is nothing to find. */
#define TRIES_MOST 3u

/* Claims that may turn out to have nothing to evict before it is said that nobody has. */
#define BARREN_MOST 16u

/* Fewer pages than so in small queues: generations must tell their ages more exactly. */
#define LEVEL_LEAST 4096u

/* What is wanted. */
enum victim_kind {
    VICTIM_FRAME,        /* a page that has a frame, of what a claim may have to give */
    VICTIM_PAST_MINIMUM, /* the same, also of what its minimum keeps from others */
    VICTIM_ANY,          /* a page with or without a frame */
};

static enum victim_kind kind_of(const struct worker *w)
{
    return (enum victim_kind)w->victim_kind;
}

static uint64_t random_below(struct worker *w, uint64_t limit)
{
    /* xorshift64: only to spread victims over shards by their size */
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random % limit;
}

struct best {
    struct claim *claim;
    uint64_t pages;
    uint32_t weight;
};

/*
 * Claims that were chosen and have nothing to evict: what is charged to them dies, or is being put
 * or copied.
 */
struct barren {
    const struct claim *claims[BARREN_MOST];
    unsigned nr;
};

static bool is_barren(const struct barren *b, const struct claim *c)
{
    for (unsigned i = 0; i < b->nr; i++) {
        if (b->claims[i] == c)
            return true;
    }
    return false;
}

static void consider(struct best *best, enum victim_kind kind, const struct barren *barren,
                     struct claim *c)
{
    uint64_t pages = claim_read(&c->ephemeral), filled = claim_read(&c->filled);
    uint32_t weight = atomic_load_explicit(&c->weight, memory_order_relaxed);

    /* Frames are what is short: who holds none has nothing to give */
    pages = pages > filled ? pages - filled : 0;
    if (pages == 0 || is_barren(barren, c))
        return;
    if (kind != VICTIM_PAST_MINIMUM && !claim_may_give(c))
        return;
    if (!best->claim || claim_owes_more(pages, weight, best->pages, best->weight))
        *best = (struct best){.claim = c, .pages = pages, .weight = weight};
}

/* The claim that loses a page next; NULL: none is above its minimum. */
static struct claim *choose_claim(const struct engine *e, enum victim_kind kind,
                                  const struct barren *barren)
{
    uint32_t nr_accounts = atomic_load_explicit(&e->accounts_end, memory_order_relaxed);
    uint32_t nr_shared = atomic_load_explicit(&e->shared_end, memory_order_relaxed);
    struct best best = {0};

    for (uint32_t i = 0; i < nr_accounts; i++)
        consider(&best, kind, barren, &e->claims[i]);
    for (uint32_t i = 0; i < nr_shared; i++)
        consider(&best, kind, barren, &e->claims[e->nr_accounts + i]);
    return best.claim;
}

static bool holds_victims(const struct pool *p, const struct claim *c)
{
    return pool_state(p) != POOL_FREE && pool_claim(p) == c && !pool_is_persistent(p);
}

struct totals {
    uint64_t small, main, filled;
};

/* Those among which a victim is looked for. */
static uint64_t eligible(const struct totals *nr, enum victim_kind kind)
{
    return nr->small + nr->main + (kind == VICTIM_ANY ? nr->filled : 0);
}

static struct queue *queue_at(const struct pool *p, uint32_t shard)
{
    return &atomic_load_explicit(&p->parts, memory_order_acquire)[shard].queue;
}

/* What @p has in the queues of all shards. */
static struct totals pool_totals(const struct engine *e, const struct pool *p)
{
    struct totals nr = {0};

    for (uint32_t i = 0; i < e->nr_shards; i++) {
        nr.small += page_list_nr(&queue_at(p, i)->small);
        nr.main += page_list_nr(&queue_at(p, i)->main);
        nr.filled += page_list_nr(&queue_at(p, i)->filled);
    }
    return nr;
}

static void settle(struct worker *w, uint32_t shard, enum queue_part from, uint32_t nr_here)
{
    uint32_t nr = 1 + nr_here / CHOICE_PART;

    w->victim_shard = (uint16_t)shard;
    w->victim_from = (uint8_t)from;
    w->victim_left = (uint16_t)(nr < CHOICE_PAGES_MOST ? nr : CHOICE_PAGES_MOST);
}

static uint64_t small_since(const struct pool *p, uint32_t shard)
{
    return atomic_load_explicit(&queue_at(p, shard)->small_since, memory_order_relaxed);
}

/*
 * Of the shards @first and each @step-th from there, the one whose small queue has the oldest page
 * that is younger than @after, or any.
 */
static bool choose_oldest(const struct engine *e, struct worker *w, const struct pool *p,
                          uint32_t first, uint32_t step, uint64_t after)
{
    uint64_t oldest = UINT64_MAX;

    for (uint32_t i = first; i < e->nr_shards; i += step) {
        const struct queue *q = queue_at(p, i);
        uint32_t here = page_list_nr(&q->small);
        uint64_t since = small_since(p, i);

        if (here == 0 || since >= oldest || since <= after)
            continue;
        oldest = since;
        settle(w, i, QUEUE_SMALL, here);
    }
    return oldest != UINT64_MAX;
}

/* A shard by chance: each page in a queue of the kind with the same. @nr: of all. */
static bool choose_by_chance(const struct engine *e, struct worker *w, const struct pool *p,
                             enum queue_part from, uint64_t nr)
{
    uint64_t at = random_below(w, nr);

    for (uint32_t i = 0; i < e->nr_shards; i++) {
        uint32_t here = page_list_nr(queue_list(queue_at(p, i), from));

        if (at < here) {
            settle(w, i, from, here);
            return true;
        }
        at -= here;
    }
    return false; /* they changed under our eyes */
}

static bool choose_queue(struct engine *e, struct worker *w, struct pool *p, uint64_t after)
{
    struct totals nr = pool_totals(e, p);
    uint64_t nr_eligible = eligible(&nr, kind_of(w));

    if (nr_eligible == 0)
        return false;
    tuner_note_pressure(p, nr.small + nr.main);
    /* each page with the same chance, as their ages are not compared */
    if (kind_of(w) == VICTIM_ANY && nr.filled && random_below(w, nr_eligible) < nr.filled)
        return choose_by_chance(e, w, p, QUEUE_FILLED, nr.filled);
    if (!queue_small_is_due(pool_rule(p), nr.small, nr.main))
        return choose_by_chance(e, w, p, QUEUE_MAIN, nr.main);
    /* The puts level the shards too, but seldom. */
    if (nr.small < LEVEL_LEAST)
        shards_level(e);
    return choose_oldest(e, w, p, 0, 1, after) || (after && choose_oldest(e, w, p, 0, 1, 0));
}

static bool consider_pool(const struct engine *e, struct worker *w, const struct claim *c,
                          uint16_t slot, uint64_t *most)
{
    struct totals nr;

    if (slot == LAYOUT_NO_SLOT || !holds_victims(&e->pools[slot], c))
        return false;
    nr = pool_totals(e, &e->pools[slot]);
    if (eligible(&nr, kind_of(w)) <= *most)
        return false;
    *most = eligible(&nr, kind_of(w));
    w->victim_pool = slot;
    return true;
}

/* The ephemeral pool of @c that has the most pages. */
static bool choose_pool(const struct engine *e, struct worker *w, const struct claim *c)
{
    size_t at = (size_t)(c - e->claims);
    uint64_t most = 0;

    if (at >= e->nr_accounts)
        return consider_pool(
            e, w, c,
            atomic_load_explicit(&e->shared[at - e->nr_accounts].slot, memory_order_relaxed),
            &most);
    for (uint32_t id = 0; id < TMEMIF_MAX_POOLS; id++)
        consider_pool(
            e, w, c,
            seat_slot(atomic_load_explicit(&e->accounts[at].seats[id], memory_order_relaxed)),
            &most);
    return most != 0;
}

/* False: that was the last one that may be. */
static bool note_barren(struct barren *b, const struct claim *c)
{
    if (b->nr == BARREN_MOST)
        return false;
    b->claims[b->nr++] = c;
    return true;
}

static bool choose(struct engine *e, struct worker *w, struct claim *only, enum victim_kind kind,
                   struct barren *barren, uint64_t after)
{
    w->victim_left = 0;
    w->victim_of = only;
    w->victim_kind = (uint8_t)kind;
    for (;;) {
        struct claim *c = only ? only : choose_claim(e, kind, barren);

        if (!c)
            return false;
        if (choose_pool(e, w, c) && choose_queue(e, w, &e->pools[w->victim_pool], after))
            return true;
        if (only || !note_barren(barren, c))
            return false;
    }
}

static unsigned moves_here(const struct engine *e, const struct page_list *l)
{
    return (e->nr_shards + MOVES_SHARDS - 1) / MOVES_SHARDS + page_list_nr(l) / MOVES_PART;
}

/*
 * Under the lock: the page of @p here that goes, if its claim may lose one. *@moves_left is what
 * may still be moved for it.
 */
static page_nr find_victim(struct engine *e, const struct worker *w, struct pool *p,
                           struct shard *s, const struct claim *only, unsigned *moves_left)
{
    struct pool_part *part = pool_part_of(e, p, s);
    struct queue_search search = {.from = (enum queue_part)w->victim_from,
                                  .uses_to_pass = pool_rule(p)->uses_to_pass,
                                  .floor = part->floor};
    struct claim *c = pool_claim(p);
    page_nr page;

    search.steps = moves_here(e, queue_list(&part->queue, search.from));
    if (search.steps > *moves_left)
        search.steps = *moves_left;
    /* The slot may have been used again since it was chosen; pages in it are of the pool now. */
    if (pool_is_persistent(p) || (only && only != c))
        return LAYOUT_NONE;
    page = queue_victim(&part->queue, e->links, e->descs, &search);
    *moves_left -= search.moved;
    if (page == LAYOUT_NONE || !claim_give_up(c, !only && kind_of(w) != VICTIM_PAST_MINIMUM))
        return LAYOUT_NONE;
    return page;
}

/*
 * The chosen shard, locked. The oldest page is the same for all workers: one
 * that finds its shard busy takes the oldest of some other shards, by chance.
 */
static struct shard *lock_chosen(struct engine *e, struct worker *w)
{
    struct shard *s = &e->shards[w->victim_shard];

    if (lock_try(&s->lock))
        return s;
    if (w->victim_from == QUEUE_SMALL)
        choose_oldest(e, w, &e->pools[w->victim_pool], (uint32_t)random_below(w, e->nr_workers),
                      e->nr_workers, 0);
    s = &e->shards[w->victim_shard];
    lock_take(&s->lock);
    return s;
}

static bool evict_from(struct engine *e, struct worker *w, const struct claim *only,
                       unsigned *moves_left)
{
    struct pool *p = &e->pools[w->victim_pool];
    struct shard *s = lock_chosen(e, w);
    struct handle h;
    uint32_t *slot;
    page_nr page;
    bool free_it;

    page = find_victim(e, w, p, s, only, moves_left);
    if (page == LAYOUT_NONE) {
        lock_drop(&s->lock);
        return false;
    }
    h = handle_of_desc(e->seed, &e->descs[page]);
    slot = shard_seek(e, s, &h);
    BUG_UNLESS(slot != NULL && shard_page_at(s, slot) == page);
    if (w->victim_from != QUEUE_FILLED && !(e->descs[page].use & USE_MAIN))
        ghosts_add(&s->ghosts, h.page_hash);
    s->counters.evictions++;
    pool_part_of(e, p, s)->counters.evictions++;
    free_it = shard_remove(e, s, &h, slot);
    lock_drop(&s->lock);
    if (free_it)
        store_page_free(e->store, page);
    return true;
}

static bool evict(struct engine *e, struct worker *w, struct claim *only, enum victim_kind kind)
{
    struct barren barren = {.nr = 0};
    unsigned moves_left = MOVES_MOST;
    unsigned tries = 0;
    uint64_t after = 0;
    bool moved = false;

    for (;;) {
        unsigned before = moves_left;

        /* After a move the pool stays: to compare all of a claim costs most. */
        if (moved && !choose_queue(e, w, &e->pools[w->victim_pool], 0))
            w->victim_left = 0;
        if ((w->victim_left == 0 || w->victim_of != only || kind_of(w) != kind) &&
            !choose(e, w, only, kind, &barren, after))
            return false;
        w->victim_left--;
        if (evict_from(e, w, only, &moves_left))
            return true;
        w->victim_left = 0;
        moved = moves_left != before;
        if (!moved) /* what is oldest here may be pinned */
            after = small_since(&e->pools[w->victim_pool], w->victim_shard);
        if (moved || ++tries < TRIES_MOST)
            continue;
        /* All that it has is being copied: then somebody else's page goes. */
        if (only || !note_barren(&barren, pool_claim(&e->pools[w->victim_pool])))
            return false;
        tries = 0;
        after = 0;
    }
}

bool victim_evict(struct engine *e, struct worker *w, struct claim *only)
{
    return evict(e, w, only, VICTIM_FRAME);
}

bool victim_evict_past_minimum(struct engine *e, struct worker *w)
{
    return evict(e, w, NULL, VICTIM_PAST_MINIMUM);
}

bool victim_evict_any(struct engine *e, struct worker *w, struct claim *c)
{
    return evict(e, w, c, VICTIM_ANY);
}
