/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/store/pages.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "daemon/util/bug.h"
#include "daemon/util/prefetch.h"

#define MAX_CPUS 64u
#define BATCH    (MAGAZINE_PAGES / 2)
/* Rounds of asking the depot while others take what we made room for. */
#define ALLOC_ROUNDS 8

static unsigned kind_slot(enum desc_kind kind)
{
    BUG_UNLESS(kind == DESC_FRAME || kind == DESC_FILLED);
    return kind == DESC_FRAME ? 0 : 1;
}

static unsigned choose_nr_cpus(void)
{
    unsigned n = 1;
    int configured = get_nprocs_conf();

    while (n < MAX_CPUS && (int)n < configured)
        n *= 2;
    return n;
}

bool pages_init(struct pages *p, struct desc *descs, const struct layout_super *super,
                const struct segment *desc_seg, const struct segment *frame_seg)
{
    size_t bytes;

    *p = (struct pages){.nr_cpus = choose_nr_cpus()};
    bytes = PAGES_NR_KINDS * p->nr_cpus * sizeof(*p->magazines);
    p->magazines = aligned_alloc(_Alignof(struct magazine), bytes);
    if (!p->magazines)
        return false;
    memset(p->magazines, 0, bytes);
    return depot_init(&p->depots[0], descs, 0, super->nr_frames, desc_seg, frame_seg) &&
           depot_init(&p->depots[1], descs, super->nr_frames, super->nr_descs - super->nr_frames,
                      desc_seg, NULL);
}

void pages_fini(struct pages *p)
{
    for (unsigned slot = 0; slot < PAGES_NR_KINDS; slot++)
        depot_fini(&p->depots[slot]);
    free(p->magazines);
    p->magazines = NULL;
}

static struct magazine *magazine_at(const struct pages *p, unsigned slot, unsigned cpu)
{
    return &p->magazines[slot * p->nr_cpus + cpu];
}

static struct magazine *magazine_here(const struct pages *p, unsigned slot)
{
    int cpu = sched_getcpu(); /* no system call: the kernel keeps it in the thread's memory */

    return magazine_at(p, slot, cpu < 0 ? 0 : (unsigned)cpu & (p->nr_cpus - 1));
}

static unsigned magazine_nr(const struct magazine *m)
{
    return atomic_load_explicit(&m->nr, memory_order_relaxed);
}

static void magazine_set_nr(struct magazine *m, unsigned nr)
{
    atomic_store_explicit(&m->nr, nr, memory_order_relaxed);
}

static page_nr magazine_pop(struct magazine *m, const struct desc *descs)
{
    unsigned nr = magazine_nr(m);

    if (nr == 0)
        return LAYOUT_NONE;
    magazine_set_nr(m, --nr);
    if (nr > 0) /* the next page's descriptor is written soon */
        prefetch_to_write(&descs[m->pages[nr - 1]]);
    return m->pages[nr];
}

static page_nr magazine_take(struct magazine *m, const struct desc *descs)
{
    page_nr page;

    lock_take(&m->lock);
    page = magazine_pop(m, descs);
    lock_drop(&m->lock);
    return page;
}

/* One page, from the magazine or through it from the depot. */
static page_nr magazine_take_or_fill(struct magazine *m, struct depot *d)
{
    page_nr page;

    lock_take(&m->lock);
    if (magazine_nr(m) == 0)
        magazine_set_nr(m, depot_take(d, BATCH, m->pages));
    page = magazine_pop(m, d->descs);
    lock_drop(&m->lock);
    return page;
}

static page_nr pages_steal(const struct pages *p, unsigned slot)
{
    for (unsigned cpu = 0; cpu < p->nr_cpus; cpu++) {
        struct magazine *m = magazine_at(p, slot, cpu);
        page_nr page;

        if (magazine_nr(m) == 0)
            continue;
        page = magazine_take(m, p->depots[slot].descs);
        if (page != LAYOUT_NONE)
            return page;
    }
    return LAYOUT_NONE;
}

page_nr pages_alloc(struct pages *p, enum desc_kind kind)
{
    unsigned slot = kind_slot(kind);
    struct depot *d = &p->depots[slot];
    page_nr page;

    for (int round = 0; round < ALLOC_ROUNDS; round++) {
        page = magazine_take_or_fill(magazine_here(p, slot), d);
        if (page != LAYOUT_NONE || !depot_grow(d))
            break;
    }
    if (page == LAYOUT_NONE)
        page = pages_steal(p, slot);
    if (page != LAYOUT_NONE)
        d->descs[page].kind = (uint8_t)kind;
    return page;
}

void pages_free(struct pages *p, enum desc_kind kind, page_nr page)
{
    unsigned slot = kind_slot(kind);
    struct depot *d = &p->depots[slot];
    struct magazine *m = magazine_here(p, slot);
    struct desc *desc = &d->descs[page];
    unsigned nr;

    BUG_UNLESS(page - d->first < d->nr);
    BUG_UNLESS(desc->live == LIVE_DEAD && desc->kind == kind);
    desc->kind = 0; /* a second free of it is caught */

    lock_take(&m->lock);
    nr = magazine_nr(m);
    if (atomic_load(&d->nr_out) > atomic_load(&d->limit)) {
        depot_give(d, &page, 1); /* the limit was lowered: nobody shall find it in a magazine */
    } else {
        if (nr == MAGAZINE_PAGES) {
            depot_give(d, m->pages, BATCH); /* the ones that lay here longest */
            nr -= BATCH;
            memmove(m->pages, m->pages + BATCH, nr * sizeof(m->pages[0]));
        }
        m->pages[nr++] = page;
        magazine_set_nr(m, nr);
    }
    lock_drop(&m->lock);
}

static void pages_empty_magazines(const struct pages *p, unsigned slot, struct depot *d)
{
    for (unsigned cpu = 0; cpu < p->nr_cpus; cpu++) {
        struct magazine *m = magazine_at(p, slot, cpu);

        lock_take(&m->lock);
        depot_give(d, m->pages, magazine_nr(m));
        magazine_set_nr(m, 0);
        lock_drop(&m->lock);
    }
}

void pages_set_limit(struct pages *p, enum desc_kind kind, uint32_t limit)
{
    unsigned slot = kind_slot(kind);
    struct depot *d = &p->depots[slot];
    uint32_t before;

    if (limit > d->nr)
        limit = d->nr;
    before = atomic_exchange(&d->limit, limit);
    if (limit < before)
        pages_empty_magazines(p, slot, d);
}

uint32_t pages_used(const struct pages *p, enum desc_kind kind)
{
    unsigned slot = kind_slot(kind);
    uint32_t used = atomic_load(&p->depots[slot].nr_out);

    for (unsigned cpu = 0; cpu < p->nr_cpus; cpu++) {
        unsigned nr = magazine_nr(magazine_at(p, slot, cpu));

        used = used > nr ? used - nr : 0;
    }
    return used;
}

unsigned pages_shrink(struct pages *p, enum desc_kind kind, unsigned nr_chunks)
{
    unsigned slot = kind_slot(kind);
    struct depot *d = &p->depots[slot];
    unsigned nr = 0;

    pages_empty_magazines(p, slot, d);
    while (nr < nr_chunks && depot_shrink(d))
        nr++;
    return nr;
}
