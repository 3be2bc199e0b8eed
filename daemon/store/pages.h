/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pages.h - which pages are free, for many threads at once.
 *
 *   thread on CPU 0    thread on CPU 1
 *     magazine           magazine       a few free pages each, one short lock
 *          \               /
 *           \   batches   /
 *                depot                  the rest, by chunk (depot.h)
 *
 * After Bonwick and Adams, "Magazines and Vmem" (USENIX 2001), section 3. The
 * CPU is only a hint: a thread that moved takes another's lock and is right.
 * In a full store an evicted page lands in the evicter's own magazine and is
 * what it finds there next. Order of locks: magazine, then depot.
 */
#ifndef XTM_STORE_PAGES_H
#define XTM_STORE_PAGES_H

#include <stdbool.h>

#include "daemon/store/depot.h"

#define PAGES_NR_KINDS 2u
#define MAGAZINE_PAGES 62u /* with lock and number four cache lines */

struct magazine {
    _Alignas(64) struct lock lock;
    atomic_uint nr; /* written under the lock, looked at without */
    page_nr pages[MAGAZINE_PAGES];
};
_Static_assert(sizeof(struct magazine) == 256, "whole cache lines");

struct pages {
    struct depot depots[PAGES_NR_KINDS]; /* by kind: frames, filled */
    struct magazine *magazines;          /* PAGES_NR_KINDS times nr_cpus */
    unsigned nr_cpus;                    /* a power of two */
};

/* Nothing of @p has memory yet. False: no heap memory; pages_fini() is due all the same. */
bool pages_init(struct pages *p, struct desc *descs, const struct layout_super *super,
                const struct segment *desc_seg, const struct segment *frame_seg);
void pages_fini(struct pages *p);

page_nr pages_alloc(struct pages *p, enum desc_kind kind); /* LAYOUT_NONE: none */
void pages_free(struct pages *p, enum desc_kind kind, page_nr page);

void pages_set_limit(struct pages *p, enum desc_kind kind, uint32_t limit);
/* Handed out now: a snapshot when other threads are about. */
uint32_t pages_used(const struct pages *p, enum desc_kind kind);
unsigned pages_shrink(struct pages *p, enum desc_kind kind, unsigned nr_chunks);

#endif /* XTM_STORE_PAGES_H */
