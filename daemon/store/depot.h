/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * depot.h - all page numbers of one kind, in chunks that come and go.
 *
 *        chunk 0         chunk 1         chunk 2         chunk 3
 *   | used/free mix | all free, idle |  no memory   | used/free mix | ...
 *
 * A chunk is STORE_CHUNK_PAGES descriptors and, for DESC_FRAME, their frames.
 * It has memory or it has none; only pages of chunks with memory are handed
 * out. Free pages of a chunk are a list through the index field of their dead
 * descriptors, which costs no byte. A free page has kind 0.
 *
 * Pages move in batches between here and the magazines (pages.h), so these
 * locks are taken once for many pages. Order of locks: grow, then list.
 */
#ifndef XTM_STORE_DEPOT_H
#define XTM_STORE_DEPOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/store/segment.h"
#include "daemon/store/store.h"
#include "daemon/util/lock.h"

enum chunk_state {
    CHUNK_BARE = 0, /* no memory; on the bare list unless it never had any */
    CHUNK_IDLE,     /* memory, every page free; on the idle list */
    CHUNK_PARTIAL,  /* some pages free; on the partial list */
    CHUNK_FULL,     /* no page free; on no list */
};

struct chunk {
    uint32_t next, prev; /* in the list of its state */
    page_nr free;        /* first of the list of free pages */
    uint16_t nr_begun;   /* pages from here to the end are free too, and on no list */
    uint16_t nr_out;     /* pages taken out of the depot */
    uint8_t state;       /* enum chunk_state */
};

struct depot {
    struct desc *descs; /* number 0 of the store */
    page_nr first;      /* numbers first .. first + nr - 1 are this depot's */
    uint32_t nr;
    const struct segment *desc_seg;
    const struct segment *frame_seg; /* NULL: pages without frames */

    struct lock grow_lock; /* which chunks have memory: bare list, nr_reached, pauses */
    uint32_t bare;
    uint32_t nr_reached; /* chunks from here on never had memory */
    uint32_t pause;      /* attempts to grow that are not made after one failed */
    uint32_t huge_pause; /* chunks that get small pages after one got no huge page */

    struct lock list_lock; /* everything else that is not atomic */
    struct chunk *chunks;
    uint32_t nr_chunks;
    uint32_t idle, partial;

    atomic_uint limit;     /* pages that may be out at most */
    atomic_uint nr_out;    /* pages that are out */
    atomic_uint nr_backed; /* pages of chunks with memory */
};

/* Over numbers without memory, limited to @nr. False: no heap memory. */
bool depot_init(struct depot *d, struct desc *descs, page_nr first, uint32_t nr,
                const struct segment *desc_seg, const struct segment *frame_seg);
void depot_fini(struct depot *d);

/* Take up to @nr pages out. 0: none is free, or the limit is reached. */
unsigned depot_take(struct depot *d, unsigned nr, page_nr *pages_out);
/* Put them back. */
void depot_give(struct depot *d, const page_nr *pages, unsigned nr);

/*
 * Get memory for one more chunk, unless pages are free by now. False: the
 * limit is reached, every chunk has memory, or the system has none to give.
 */
bool depot_grow(struct depot *d);
/* Give the memory of an idle chunk back. False: there is none, or it failed. */
bool depot_shrink(struct depot *d);

/* ---- for one thread, with no other about: taking up segments, scanning ---- */

/* The first live page at or after @from, or LAYOUT_NONE. */
page_nr depot_next_live(const struct depot *d, page_nr from);

page_nr depot_chunk_first(const struct depot *d, uint32_t c);
uint32_t depot_chunk_nr_pages(const struct depot *d, uint32_t c);
size_t depot_desc_offset(const struct depot *d, uint32_t c);
size_t depot_frame_offset(const struct depot *d, uint32_t c);
size_t depot_desc_bytes(const struct depot *d, uint32_t c);
size_t depot_frame_bytes(const struct depot *d, uint32_t c);
/* Give memory to chunk @c. */
bool depot_chunk_back(const struct depot *d, uint32_t c);
/* Chunk @c has memory: its live pages are out, its dead ones are free. Chunks in ascending order.
 */
void depot_adopt(struct depot *d, uint32_t c);

#endif /* XTM_STORE_DEPOT_H */
