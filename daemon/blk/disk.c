/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/blk/disk.h"

#include <string.h>

#include "daemon/blk/layer.h"
#include "daemon/blk/stack.h"

/* Pages that one call of disk_discard() looks at: some 10 us of work where there are none. */
#define DISCARD_PAGES      1024u
#define DISCARD_OVER_BASES 64u

static const struct stack *enter(struct disk *d, unsigned worker)
{
    gate_enter(d->gate, worker);
    return &d->stacks[atomic_load_explicit(&d->current, memory_order_seq_cst)];
}

static void leave(struct disk *d, unsigned worker)
{
    gate_leave(d->gate, worker);
}

void disk_switch(struct disk *d, const struct stack *next)
{
    unsigned other = 1 - atomic_load_explicit(&d->current, memory_order_relaxed);

    /* Nobody is in the other one: the last switch has waited for that. */
    d->stacks[other] = *next;
    atomic_store_explicit(&d->current, other, memory_order_seq_cst);
    gate_wait(d->gate);
}

uint32_t disk_nr_pages(const struct disk *d)
{
    return d->nr_pages;
}

static enum disk_status status_of(enum tmemif_status rc)
{
    switch (rc) {
    case TMEMIF_OK:
        return DISK_OK;
    case TMEMIF_QUOTA:
    case TMEMIF_NO_MEMORY:
        return DISK_FULL;
    case TMEMIF_BAD_DATA:
        return DISK_DAMAGED;
    default:
        return DISK_IO;
    }
}

static enum disk_status stack_read(struct engine *e, const struct stack *s, unsigned worker,
                                   uint32_t page, void *buffer)
{
    for (unsigned i = 0; i < s->nr; i++) {
        enum tmemif_status rc = layer_read(e, worker, s->layers[i].account, page, buffer);

        if (rc != TMEMIF_MISS)
            return status_of(rc);
        if (s->layers[i].suspect)
            return DISK_DAMAGED;
    }
    memset(buffer, 0, DISK_PAGE_SIZE);
    return DISK_OK;
}

enum disk_status disk_read(struct disk *d, unsigned worker, uint32_t page, void *buffer)
{
    enum disk_status rc;

    if (page >= d->nr_pages)
        return DISK_RANGE;
    rc = stack_read(d->engine, enter(d, worker), worker, page, buffer);
    leave(d, worker);
    return rc;
}

/* May absence in the top layer stand for zeros? */
static bool absent_is_zero(struct engine *e, const struct stack *s, unsigned worker, uint32_t page)
{
    if (s->layers[0].suspect)
        return false;
    for (unsigned i = 1; i < s->nr; i++) {
        if (s->layers[i].suspect || layer_has(e, worker, s->layers[i].account, page))
            return false;
    }
    return true;
}

static enum disk_status stack_write(struct engine *e, const struct stack *s, unsigned worker,
                                    uint32_t page, const void *buffer)
{
    account_nr top = s->layers[0].account;
    uint32_t word, done;

    if (page_is_filled(buffer, &word) && word == 0 && absent_is_zero(e, s, worker, page))
        return status_of(layer_flush(e, worker, top, page, 1, &done));
    return status_of(layer_write(e, worker, top, page, buffer));
}

enum disk_status disk_write(struct disk *d, unsigned worker, uint32_t page, const void *buffer)
{
    enum disk_status rc;

    if (page >= d->nr_pages)
        return DISK_RANGE;
    rc = stack_write(d->engine, enter(d, worker), worker, page, buffer);
    leave(d, worker);
    return rc;
}

static enum disk_status discard_some(struct engine *e, const struct stack *s, unsigned worker,
                                     uint32_t first, uint32_t nr, uint32_t *done_out)
{
    static const uint8_t zeros[DISK_PAGE_SIZE];

    /* Below, nothing shows through. */
    if (s->nr == 1 && !s->layers[0].suspect)
        return status_of(layer_flush(e, worker, s->layers[0].account, first, nr, done_out));
    *done_out = 1;
    return stack_write(e, s, worker, first, zeros);
}

enum disk_status disk_discard(struct disk *d, unsigned worker, uint32_t first, uint32_t nr,
                              uint32_t *done_out)
{
    enum disk_status rc = DISK_OK;
    const struct stack *s;
    uint32_t most;

    *done_out = 0;
    if (first > d->nr_pages || nr > d->nr_pages - first)
        return DISK_RANGE;
    s = enter(d, worker);
    most = s->nr == 1 ? DISCARD_PAGES : DISCARD_OVER_BASES;
    nr = nr < most ? nr : most;
    while (rc == DISK_OK && *done_out < nr) {
        uint32_t done = 0;

        rc = discard_some(d->engine, s, worker, first + *done_out, nr - *done_out, &done);
        if (rc == DISK_OK)
            *done_out += done;
    }
    leave(d, worker);
    return rc;
}
