/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/blk/stack.h"

#include <string.h>

#include "daemon/blk/layer.h"

/* Pages that one discard looks at: 18 us of work where all of them are there (DISCARD_COST). */
#define DISCARD_PAGES      256u
#define DISCARD_OVER_BASES 64u

static const struct stack *enter(struct stack_disk *d, unsigned worker)
{
    gate_enter(d->gate, worker);
    return &d->stacks[atomic_load_explicit(&d->current, memory_order_seq_cst)];
}

static void leave(struct stack_disk *d, unsigned worker)
{
    gate_leave(d->gate, worker);
}

void stack_switch(struct stack_disk *d, const struct stack *next)
{
    unsigned other = 1 - atomic_load_explicit(&d->current, memory_order_relaxed);

    /* Nobody is in the other one: the last switch has waited for that. */
    d->stacks[other] = *next;
    atomic_store_explicit(&d->current, other, memory_order_seq_cst);
    gate_wait(d->gate);
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
        if (page < s->layers[i].nr_suspect)
            return DISK_DAMAGED;
    }
    memset(buffer, 0, DISK_PAGE_SIZE);
    return DISK_OK;
}

/* May absence in the top layer stand for zeros? */
static bool absent_is_zero(struct engine *e, const struct stack *s, unsigned worker, uint32_t page)
{
    if (page < s->layers[0].nr_suspect)
        return false;
    for (unsigned i = 1; i < s->nr; i++) {
        if (page < s->layers[i].nr_suspect || layer_has(e, worker, s->layers[i].account, page))
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

static enum disk_status discard_some(struct engine *e, const struct stack *s, unsigned worker,
                                     uint32_t first, uint32_t nr, uint32_t *done_out)
{
    static const uint8_t zeros[DISK_PAGE_SIZE];

    /* Below, nothing shows through. */
    if (s->nr == 1 && s->layers[0].nr_suspect == 0)
        return status_of(layer_flush(e, worker, s->layers[0].account, first, nr, done_out));
    *done_out = 1;
    return stack_write(e, s, worker, first, zeros);
}

/* ---- locks of pages that are written ---- */

static struct lock *lock_of(struct stack_disk *d, uint32_t page)
{
    return &d->locks[page % STACK_LOCKS];
}

/* In ascending order; nobody else takes two. */
static void lock_all(struct stack_disk *d)
{
    for (unsigned i = 0; i < STACK_LOCKS; i++)
        lock_take(&d->locks[i]);
}

static void unlock_all(struct stack_disk *d)
{
    for (unsigned i = 0; i < STACK_LOCKS; i++)
        lock_drop(&d->locks[i]);
}

/* ---- what a worker asks for ---- */

static enum disk_status read_page(struct stack_disk *d, unsigned worker, const struct batch_page *p)
{
    enum disk_status rc = stack_read(d->engine, enter(d, worker), worker, p->page, p->data);

    leave(d, worker);
    return rc;
}

/* Have p->data the rest of the page that it is a part of. */
static enum disk_status complete(const struct stack_disk *d, const struct stack *s, unsigned worker,
                                 const struct batch_page *p)
{
    uint8_t old[DISK_PAGE_SIZE];
    enum disk_status rc = stack_read(d->engine, s, worker, p->page, old);

    if (rc == DISK_OK)
        batch_page_complete(p, old);
    return rc;
}

static enum disk_status write_page(struct stack_disk *d, unsigned worker,
                                   const struct batch_page *p)
{
    enum disk_status rc = DISK_OK;
    const struct stack *s;

    lock_take(lock_of(d, p->page));
    s = enter(d, worker);
    if (!batch_page_is_whole(p))
        rc = complete(d, s, worker, p);
    if (rc == DISK_OK)
        rc = stack_write(d->engine, s, worker, p->page, p->data);
    leave(d, worker);
    lock_drop(lock_of(d, p->page));
    return rc;
}

static void transfer(struct stack_disk *d, unsigned worker, struct batch *b)
{
    for (uint32_t i = 0; i < b->nr_pages; i++) {
        struct batch_page *p = &b->pages[i];

        if (!disk_has_pages(&d->disk, p->page, 1))
            p->status = DISK_RANGE;
        else
            p->status = p->write ? write_page(d, worker, p) : read_page(d, worker, p);
    }
    b->status = DISK_OK; /* memory is as good as it gets */
}

static enum disk_status discard_most(struct stack_disk *d, const struct stack *s, unsigned worker,
                                     struct batch *b)
{
    uint32_t most = s->nr == 1 ? DISCARD_PAGES : DISCARD_OVER_BASES;
    uint32_t nr = b->nr < most ? b->nr : most;

    while (b->nr_done < nr) {
        uint32_t done = 0;
        enum disk_status rc =
            discard_some(d->engine, s, worker, b->first + b->nr_done, nr - b->nr_done, &done);

        if (rc != DISK_OK)
            return rc;
        b->nr_done += done;
    }
    return DISK_OK;
}

static void discard(struct stack_disk *d, unsigned worker, struct batch *b)
{
    b->nr_done = 0;
    b->status = DISK_RANGE;
    if (!disk_has_pages(&d->disk, b->first, b->nr))
        return;
    lock_all(d);
    b->status = discard_most(d, enter(d, worker), worker, b);
    leave(d, worker);
    unlock_all(d);
}

static bool run(struct disk *disk, unsigned worker, struct batch *b)
{
    struct stack_disk *d = (struct stack_disk *)disk;

    if (b->kind == BATCH_DISCARD)
        discard(d, worker, b);
    else
        transfer(d, worker, b);
    return true;
}

const struct disk_ops stack_disk_ops = {.run = run};
