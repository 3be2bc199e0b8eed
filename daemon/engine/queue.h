/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * queue.h - the pages of one pool in one shard, and which of them goes next.
 *
 * S3-FIFO (-> Yang et al., "FIFO queues are all you need for cache eviction",
 * SOSP 2023): new pages enter a small queue; at its end those that were used
 * often enough pass to the main queue and the others go, leaving a ghost
 * (ghost.h); a page whose ghost is found, and young enough for the rule, enters
 * the main queue at once. The main queue is a FIFO in which a page goes round
 * again once for each use.
 *
 * Whether the next page to go is one of a small queue or of a main queue is
 * decided by what the pool has in all shards, not by the shares in one of them;
 * and of all small queues the one with the oldest page gives it (victim.c).
 *
 * Pages of one word over and over, which take no frame, are in a FIFO of their own: whoever needs a
 * frame would evict them in vain.
 *
 * No page of a persistent pool is in the main queue, and nobody asks for
 * a victim there: they are the lists of what to reclaim when the pool goes.
 */
#ifndef XTM_ENGINE_QUEUE_H
#define XTM_ENGINE_QUEUE_H

#include <stdbool.h>

#include "daemon/engine/page_list.h"

struct queue {
    struct page_list small, main;
    struct page_list filled; /* pages that take no frame */
    /*
     * How old the page at the end of small is, as a generation, if there is one. Replaced there it
     * keeps its age; replaced before it came there it seems younger than its place. Others read it
     * without the lock.
     */
    _Atomic uint64_t small_since;
};

/* How pages of a pool are queued. */
struct queue_rule {
    uint32_t small_percent; /* of the pool's pages, in small queues */
    uint32_t uses_to_pass;  /* from the small to the main queue */
    uint32_t young_percent; /* of the ghosts, the newest: those that lead to the main queue */
};

/*
 * A long small queue that one use suffices to leave keeps what is asked for again
 * soon; a short one and two uses keep a scan, or a loop, from washing out the rest.
 * Beside a long small queue an old ghost does not lead to the main one: a page that comes back
 * that late would push out what is in use now. In an exclusive pool it does: ghosts are also of
 * pages that were got, and such a page comes back when the guest's own cache lets it go.
 */
extern const struct queue_rule queue_generous, queue_generous_exclusive, queue_strict;

#define QUEUE_USES_MOST 3u /* that are counted */

/* Is a page of the small queues to go, and not one of the main ones? @nr_small, @nr_main: all. */
static inline bool queue_small_is_due(const struct queue_rule *rule, uint64_t nr_small,
                                      uint64_t nr_main)
{
    return nr_main == 0 || nr_small * 100 >= (nr_small + nr_main) * rule->small_percent;
}

static inline void queue_init(struct queue *q)
{
    page_list_init(&q->small);
    page_list_init(&q->main);
    page_list_init(&q->filled);
    atomic_store_explicit(&q->small_since, 0, memory_order_relaxed);
}

static inline uint32_t queue_nr(const struct queue *q)
{
    return page_list_nr(&q->small) + page_list_nr(&q->main) + page_list_nr(&q->filled);
}

enum queue_part { QUEUE_SMALL, QUEUE_MAIN, QUEUE_FILLED };
#define QUEUE_PARTS 3u

static inline struct page_list *queue_list(struct queue *q, enum queue_part part)
{
    switch (part) {
    case QUEUE_SMALL:
        return &q->small;
    case QUEUE_MAIN:
        return &q->main;
    default:
        return &q->filled;
    }
}

/* The part that a page is in. */
enum queue_part queue_part_of(const struct desc *d);

/* Enter @page at the head of the small or the main queue, not used yet; one without a frame at
 * that of the filled ones. */
void queue_push(struct queue *q, struct page_link *links, struct desc *descs, page_nr page,
                bool to_main);
void queue_remove(struct queue *q, struct page_link *links, struct desc *descs, page_nr page);
/* @now takes the place of @old, which counts as a use; at the head if only one has a frame. */
void queue_replace(struct queue *q, struct page_link *links, struct desc *descs, page_nr old,
                   page_nr now);

/* What a search for a victim is to do, and what it did. */
struct queue_search {
    enum queue_part from;  /* of the first two the other one if it has none */
    uint32_t uses_to_pass; /* see struct queue_rule */
    uint64_t floor;
    unsigned steps; /* pages to look at, at most; 0: the first one that is not pinned goes */
    unsigned moved; /* how many of them went round, or passed to the main queue */
};

/*
 * The page to evict, still in its queue; LAYOUT_NONE if all that were looked at
 * are used (then some have moved) or pinned. A page with a generation below the
 * search's floor gets no second chance: all of those stay at the tail side of
 * every page that came after the floor was raised.
 */
page_nr queue_victim(struct queue *q, struct page_link *links, struct desc *descs,
                     struct queue_search *search);

#endif /* XTM_ENGINE_QUEUE_H */
