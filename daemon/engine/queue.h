/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * queue.h - the pages of one pool in one shard, and which of them goes next.
 *
 * S3-FIFO (-> Yang et al., "FIFO queues are all you need for cache eviction",
 * SOSP 2023) with one use bit: new pages enter a small queue; at its end those
 * that were asked for pass to the main queue and the others go, leaving a
 * ghost (ghost.h); a page whose ghost is found enters the main queue at once.
 * The main queue is a FIFO in which a page that was asked for goes round again.
 *
 * Pages of a persistent pool are all in the small queue, and nobody asks for
 * a victim there: it is the list of what to reclaim when the pool goes.
 */
#ifndef XTM_ENGINE_QUEUE_H
#define XTM_ENGINE_QUEUE_H

#include <stdbool.h>

#include "daemon/engine/page_list.h"

struct queue {
    struct page_list small, main;
};

static inline void queue_init(struct queue *q)
{
    page_list_init(&q->small);
    page_list_init(&q->main);
}

static inline uint32_t queue_nr(const struct queue *q)
{
    return page_list_nr(&q->small) + page_list_nr(&q->main);
}

/* Enter @page at the head of the small or the main queue, not used yet. */
void queue_push(struct queue *q, struct page_link *links, struct desc *descs, page_nr page,
                bool to_main);
void queue_remove(struct queue *q, struct page_link *links, struct desc *descs, page_nr page);
/* @now takes the place of @old, which counts as a use. */
void queue_replace(struct queue *q, struct page_link *links, struct desc *descs, page_nr old,
                   page_nr now);

/*
 * The page to evict, still in its queue; LAYOUT_NONE if there is none that is
 * not pinned, or none was found in a bounded number of steps. A page with a
 * generation below @floor gets no second chance: all of those stay at the tail
 * side of every page that came after the floor was raised.
 */
page_nr queue_victim(struct queue *q, struct page_link *links, struct desc *descs, uint64_t floor);

#endif /* XTM_ENGINE_QUEUE_H */
