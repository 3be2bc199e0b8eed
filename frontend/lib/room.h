/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * room.h - what a request needs before it can go on a ring: a struct call and
 * pages of the data area.
 *
 * Asynchronous operations hold theirs until they are reaped, so they may not
 * take the last ones: a thread that waits inside a call for one page of its own
 * and one to move always gets its turn.
 */
#ifndef XENTMEM_LIB_ROOM_H
#define XENTMEM_LIB_ROOM_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frontend/lib/call.h"

struct room {
    pthread_mutex_t lock;
    pthread_cond_t freed; /* on the monotonic clock */
    uint8_t *data;
    uint32_t nr_pages, nr_free_pages;
    uint32_t page_reserve; /* pages that asynchronous calls leave alone */
    uint32_t hint;         /* where the last search ended */
    uint64_t *in_use;      /* a bit for each page */
    struct call *calls, *free_calls;
    unsigned nr_calls, nr_free_calls, call_reserve;
};

/*
 * Over @nr_pages pages at @data, which stay the caller's, with calls for
 * @nr_slots ring slots. 0 or ENOMEM.
 */
int room_init(struct room *r, uint8_t *data, uint32_t nr_pages, unsigned nr_slots);
/* @forked: a copy made by fork(), whose locks may be held for ever. */
void room_fini(struct room *r, bool forked);

/* A call with @nr_pages pages side by side. NULL: not now. */
struct call *room_take(struct room *r, uint32_t nr_pages, bool asynchronous);
/* Up to @nr pages, each by itself. Returns how many. */
uint32_t room_take_pages(struct room *r, uint32_t nr, uint32_t *pages_out);
void room_give(struct room *r, struct call *call);

/* Between two looks for room that operations which were given up hold. */
#define ROOM_LOOK_MS 10

/* Wait a little for somebody to give something back, at most @ms. False: nobody did. */
bool room_wait(struct room *r, unsigned ms);

static inline uint8_t *room_page(const struct room *r, uint32_t page)
{
    return r->data + (size_t)page * TMEMIF_PAGE_SIZE;
}

#endif /* XENTMEM_LIB_ROOM_H */
