/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * page_list.h - lists of pages, linked through one array for the whole store: 8 bytes a page.
 *
 * A page is in one list at most. The links of a page are written under the
 * lock of the shard whose list it is in.
 */
#ifndef XTM_ENGINE_PAGE_LIST_H
#define XTM_ENGINE_PAGE_LIST_H

#include <stdatomic.h>

#include "daemon/store/store.h"

struct page_link {
    page_nr to_head, to_tail;
};

struct page_list {
    page_nr head, tail; /* newest, oldest */
    /* Others read it without the lock, to choose a victim. */
    _Atomic uint32_t nr;
};

static inline uint32_t page_list_nr(const struct page_list *l)
{
    return atomic_load_explicit(&l->nr, memory_order_relaxed);
}

static inline void page_list_count(struct page_list *l, uint32_t by)
{
    atomic_store_explicit(&l->nr, page_list_nr(l) + by, memory_order_relaxed);
}

static inline void page_list_init(struct page_list *l)
{
    l->head = LAYOUT_NONE;
    l->tail = LAYOUT_NONE;
    atomic_store_explicit(&l->nr, 0, memory_order_relaxed);
}

static inline void page_list_push(struct page_list *l, struct page_link *links, page_nr page)
{
    links[page] = (struct page_link){.to_head = LAYOUT_NONE, .to_tail = l->head};
    if (l->head != LAYOUT_NONE)
        links[l->head].to_head = page;
    else
        l->tail = page;
    l->head = page;
    page_list_count(l, 1);
}

static inline void page_list_remove(struct page_list *l, struct page_link *links, page_nr page)
{
    struct page_link at = links[page];

    if (at.to_head != LAYOUT_NONE)
        links[at.to_head].to_tail = at.to_tail;
    else
        l->head = at.to_tail;
    if (at.to_tail != LAYOUT_NONE)
        links[at.to_tail].to_head = at.to_head;
    else
        l->tail = at.to_head;
    page_list_count(l, UINT32_MAX);
}

/* @now takes the place of @old. */
static inline void page_list_replace(struct page_list *l, struct page_link *links, page_nr old,
                                     page_nr now)
{
    struct page_link at = links[old];

    links[now] = at;
    if (at.to_head != LAYOUT_NONE)
        links[at.to_head].to_tail = now;
    else
        l->head = now;
    if (at.to_tail != LAYOUT_NONE)
        links[at.to_tail].to_head = now;
    else
        l->tail = now;
}

#endif /* XTM_ENGINE_PAGE_LIST_H */
