/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/engine/queue.h"

#include "daemon/engine/engine.h"
#include "daemon/engine/use.h"

/* Pinned pages stepped over for one victim: all that the workers can have. */
#define PINNED_MOST (ENGINE_WORKERS_MOST * ENGINE_GETS_MOST)

/* Measured: docs/PERFORMANCE.md, "Eviction". */
const struct queue_rule queue_generous = {
    .small_percent = 30, .uses_to_pass = 1, .young_percent = 42};
const struct queue_rule queue_generous_exclusive = {
    .small_percent = 36, .uses_to_pass = 1, .young_percent = 100};
const struct queue_rule queue_strict = {
    .small_percent = 9, .uses_to_pass = 2, .young_percent = 100};

/* The small queue has another oldest page. */
static void note_oldest(struct queue *q, const struct desc *descs)
{
    if (q->small.tail != LAYOUT_NONE)
        atomic_store_explicit(&q->small_since, live_generation(descs[q->small.tail].live),
                              memory_order_relaxed);
}

enum queue_part queue_part_of(const struct desc *d)
{
    if (d->kind == DESC_FILLED)
        return QUEUE_FILLED;
    return d->use & USE_MAIN ? QUEUE_MAIN : QUEUE_SMALL;
}

static struct page_list *list_of(struct queue *q, const struct desc *d)
{
    return queue_list(q, queue_part_of(d));
}

void queue_push(struct queue *q, struct page_link *links, struct desc *descs, page_nr page,
                bool to_main)
{
    use_clear(&descs[page].use, USE_USES | USE_MAIN);
    if (to_main && descs[page].kind != DESC_FILLED)
        use_set(&descs[page].use, USE_MAIN);
    page_list_push(list_of(q, &descs[page]), links, page);
    if (q->small.tail == page)
        note_oldest(q, descs);
}

void queue_remove(struct queue *q, struct page_link *links, struct desc *descs, page_nr page)
{
    bool oldest = q->small.tail == page;

    page_list_remove(list_of(q, &descs[page]), links, page);
    if (oldest)
        note_oldest(q, descs);
}

void queue_replace(struct queue *q, struct page_link *links, struct desc *descs, page_nr old,
                   page_nr now)
{
    bool was_filled = descs[old].kind == DESC_FILLED;

    if (was_filled != (descs[now].kind == DESC_FILLED)) {
        queue_remove(q, links, descs, old);
        queue_push(q, links, descs, now, false);
    } else {
        page_list_replace(list_of(q, &descs[old]), links, old, now);
        use_clear(&descs[now].use, USE_MAIN | USE_USES);
        use_set(&descs[now].use, descs[old].use & (USE_MAIN | USE_USES));
    }
    use_add(&descs[now].use);
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

/* Once more round the queue, for one of its uses. */
static void send_round(struct page_list *l, struct page_link *links, struct desc *descs,
                       page_nr page)
{
    page_list_remove(l, links, page);
    page_list_push(l, links, page);
    use_take(&descs[page].use);
}

static void pass_to_main(struct queue *q, struct page_link *links, struct desc *descs, page_nr page)
{
    queue_remove(q, links, descs, page);
    queue_push(q, links, descs, page, true);
}

/* The oldest page of the queue that the search wants, or of the other one. */
static page_nr first_page(struct queue *q, const struct page_link *links, const struct desc *descs,
                          enum queue_part from)
{
    bool small = from == QUEUE_SMALL;
    page_nr page;

    if (from == QUEUE_FILLED)
        return oldest_unpinned(&q->filled, links, descs);
    page = oldest_unpinned(small ? &q->small : &q->main, links, descs);
    return page != LAYOUT_NONE ? page : oldest_unpinned(small ? &q->main : &q->small, links, descs);
}

static bool may_go(const struct desc *d, const struct queue_search *search)
{
    return live_generation(d->live) < search->floor ||
           use_count(d->use) < (queue_part_of(d) == QUEUE_SMALL ? search->uses_to_pass : 1);
}

page_nr queue_victim(struct queue *q, struct page_link *links, struct desc *descs,
                     struct queue_search *search)
{
    page_nr page = first_page(q, links, descs, search->from);

    search->moved = 0;
    while (search->moved < search->steps && page != LAYOUT_NONE) {
        /* for note_oldest(), or the next step */
        if (links[page].to_head != LAYOUT_NONE)
            __builtin_prefetch(&descs[links[page].to_head]);
        if (may_go(&descs[page], search))
            return page;
        if (queue_part_of(&descs[page]) == QUEUE_SMALL)
            pass_to_main(q, links, descs, page);
        else
            send_round(list_of(q, &descs[page]), links, descs, page);
        search->moved++;
        page = first_page(q, links, descs, search->from);
    }
    return search->steps == 0 ? page : LAYOUT_NONE;
}
