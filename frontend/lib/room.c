/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/lib/room.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/lib/clock.h"

#define BITS 64u

int room_init(struct room *r, uint8_t *data, uint32_t nr_pages, unsigned nr_slots)
{
    *r = (struct room){
        .data = data,
        .nr_pages = nr_pages,
        .nr_free_pages = nr_pages,
        .page_reserve = nr_pages < 16 ? 2 : nr_pages / 8,
        /* those under way, as many finished and not reaped, and some for threads */
        .nr_calls = 2 * nr_slots + 16,
        .call_reserve = 16,
    };
    r->in_use = calloc((nr_pages + BITS - 1) / BITS, sizeof(*r->in_use));
    r->calls = calloc(r->nr_calls, sizeof(*r->calls));
    if (!r->in_use || !r->calls) {
        free(r->in_use);
        free(r->calls);
        return ENOMEM;
    }
    for (unsigned i = 0; i < r->nr_calls; i++) {
        r->calls[i].next = r->free_calls;
        r->free_calls = &r->calls[i];
    }
    r->nr_free_calls = r->nr_calls;

    pthread_mutex_init(&r->lock, NULL);
    clock_init_condition(&r->freed);
    return 0;
}

void room_fini(struct room *r, bool forked)
{
    for (unsigned i = 0; i < r->nr_calls; i++)
        free(r->calls[i].batch);
    free(r->calls);
    free(r->in_use);
    if (forked)
        return;
    pthread_cond_destroy(&r->freed);
    pthread_mutex_destroy(&r->lock);
}

static bool is_used(const struct room *r, uint32_t page)
{
    return r->in_use[page / BITS] >> (page % BITS) & 1;
}

static void mark(struct room *r, uint32_t first, uint32_t nr, bool used)
{
    for (uint32_t page = first; page < first + nr; page++) {
        if (used)
            r->in_use[page / BITS] |= 1ull << (page % BITS);
        else
            r->in_use[page / BITS] &= ~(1ull << (page % BITS));
    }
    r->nr_free_pages = used ? r->nr_free_pages - nr : r->nr_free_pages + nr;
}

/* The first run of @nr free pages from @from on, not past the end. */
static bool find_from(const struct room *r, uint32_t from, uint32_t nr, uint32_t *first_out)
{
    uint32_t run = 0;

    for (uint32_t page = from; page < r->nr_pages; page++) {
        if (run == 0 && page % BITS == 0 && r->in_use[page / BITS] == UINT64_MAX) {
            page += BITS - 1;
            continue;
        }
        run = is_used(r, page) ? 0 : run + 1;
        if (run == nr) {
            *first_out = page + 1 - nr;
            return true;
        }
    }
    return false;
}

static bool take_run(struct room *r, uint32_t nr, uint32_t *first_out)
{
    if (nr > r->nr_free_pages)
        return false;
    if (!find_from(r, r->hint, nr, first_out) && !find_from(r, 0, nr, first_out))
        return false;
    mark(r, *first_out, nr, true);
    r->hint = *first_out + nr;
    return true;
}

struct call *room_take(struct room *r, uint32_t nr_pages, bool asynchronous)
{
    uint32_t page_reserve = asynchronous ? r->page_reserve : 0;
    unsigned call_reserve = asynchronous ? r->call_reserve : 0;
    struct call *call = NULL;
    uint32_t first = 0;

    pthread_mutex_lock(&r->lock);
    if (r->nr_free_calls > call_reserve && r->nr_free_pages >= nr_pages + page_reserve &&
        (nr_pages == 0 || take_run(r, nr_pages, &first))) {
        call = r->free_calls;
        r->free_calls = call->next;
        r->nr_free_calls--;
    }
    pthread_mutex_unlock(&r->lock);

    if (call)
        *call = (struct call){.first_page = first, .nr_pages = nr_pages};
    return call;
}

uint32_t room_take_pages(struct room *r, uint32_t nr, uint32_t *pages_out)
{
    uint32_t taken = 0;

    pthread_mutex_lock(&r->lock);
    while (taken < nr && take_run(r, 1, &pages_out[taken]))
        taken++;
    pthread_mutex_unlock(&r->lock);
    return taken;
}

void room_give(struct room *r, struct call *call)
{
    pthread_mutex_lock(&r->lock);
    mark(r, call->first_page, call->nr_pages, false);
    for (uint32_t i = 0; call->batch && i < call->batch->nr_pages; i++)
        mark(r, call->batch->pages[i], 1, false);
    free(call->batch);
    call->batch = NULL;
    call->state = CALL_IDLE;
    call->next = r->free_calls;
    r->free_calls = call;
    r->nr_free_calls++;
    pthread_cond_broadcast(&r->freed);
    pthread_mutex_unlock(&r->lock);
}

bool room_wait(struct room *r, unsigned ms)
{
    struct timespec until = deadline_timespec(deadline_in_ms((int)ms));
    int error;

    pthread_mutex_lock(&r->lock);
    error = pthread_cond_timedwait(&r->freed, &r->lock, &until);
    pthread_mutex_unlock(&r->lock);
    return error == 0;
}
