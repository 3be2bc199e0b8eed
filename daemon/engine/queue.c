/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/engine/queue.h"

#include "daemon/engine/use.h"

/* Pages looked at for one victim. A lock is held meanwhile. */
#define STEPS_MOST 128u

/* Pinned pages stepped over for one victim; a worker pins one at a time. */
#define PINNED_MOST 64u

/* One part in so many of the pages is the small queue's. */
#define SMALL_SHARE 10u

static struct page_list *list_of(struct queue *q, const struct desc *d)
{
    return d->use & USE_MAIN ? &q->main : &q->small;
}

void queue_push(struct queue *q, struct page_link *links, struct desc *descs, page_nr page,
                bool to_main)
{
    use_clear(&descs[page].use, USE_USED | USE_MAIN);
    if (to_main)
        use_set(&descs[page].use, USE_MAIN);
    page_list_push(to_main ? &q->main : &q->small, links, page);
}

void queue_remove(struct queue *q, struct page_link *links, struct desc *descs, page_nr page)
{
    page_list_remove(list_of(q, &descs[page]), links, page);
}

void queue_replace(struct queue *q, struct page_link *links, struct desc *descs, page_nr old,
                   page_nr now)
{
    page_list_replace(list_of(q, &descs[old]), links, old, now);
    use_clear(&descs[now].use, USE_MAIN);
    use_set(&descs[now].use, (descs[old].use & USE_MAIN) | USE_USED);
}

/* The oldest page of @l that is not pinned, among the oldest few. */
static page_nr oldest_unpinned(const struct page_list *l, const struct page_link *links,
                               const struct desc *descs)
{
    page_nr page = l->tail;

    for (unsigned i = 0; i < PINNED_MOST && page != LAYOUT_NONE; i++) {
        if ((descs[page].use & USE_PINS) == 0)
            return page;
        page = links[page].to_head;
    }
    return LAYOUT_NONE;
}

page_nr queue_victim(struct queue *q, struct page_link *links, struct desc *descs, uint64_t floor)
{
    page_nr seen = LAYOUT_NONE;

    for (unsigned step = 0; step < STEPS_MOST; step++) {
        bool small = q->main.tail == LAYOUT_NONE ||
                     (q->small.tail != LAYOUT_NONE &&
                      (uint64_t)page_list_nr(&q->small) * SMALL_SHARE >= queue_nr(q));
        page_nr page = oldest_unpinned(small ? &q->small : &q->main, links, descs);

        if (page == LAYOUT_NONE)
            page = oldest_unpinned(small ? &q->main : &q->small, links, descs);
        if (page == LAYOUT_NONE)
            return LAYOUT_NONE;
        if (!(descs[page].use & USE_USED) || live_generation(descs[page].live) < floor)
            return page;
        seen = page;
        queue_remove(q, links, descs, page);
        queue_push(q, links, descs, page, true);
    }
    /* All of them in use: the one that went round last is as good as any. */
    return seen;
}
