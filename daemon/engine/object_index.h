/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * object_index.h - which indexes of an object have pages, for flushing objects and ranges.
 *
 * An object of one page is an entry that names the page, whose descriptor
 * holds the object's id: 4.3 bytes. With more pages it gets a record and an
 * extent, 64 indexes as bits, for each stretch that has a page: less than a
 * byte a page where they are dense. One thread at a time (the shard's lock).
 */
#ifndef XTM_ENGINE_OBJECT_INDEX_H
#define XTM_ENGINE_OBJECT_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/engine/handle.h"
#include "daemon/engine/slab.h"
#include "daemon/engine/table.h"

#define EXTENT_SHIFT 6u
#define EXTENT_PAGES (1u << EXTENT_SHIFT)

/* An object of more than one page, now or earlier. */
struct object {
    uint64_t id[3];
    uint32_t pool;
    uint32_t nr_pages;
    uint32_t nr_extents;
    uint32_t first, last; /* its extents, the oldest first */
    uint32_t reserved;
};

struct extent {
    uint64_t pages; /* bit n: index (base << EXTENT_SHIFT) + n */
    uint32_t base;
    uint32_t object;
    uint32_t prev, next; /* of the same object */
};

struct object_index {
    struct table objects; /* page * 2, or object record * 2 + 1 */
    struct table extents;
    struct slab records;
    struct slab runs;
    const struct desc *descs;
    uint64_t seed;
};

/* Over @descs, of which there are @nr_descs; about @fair of them will be here. False: no memory. */
bool object_index_init(struct object_index *ix, struct heap *heap, const struct desc *descs,
                       uint32_t nr_descs, uint32_t fair, uint64_t seed);
void object_index_fini(struct object_index *ix);

/*
 * @page has been given handle @h, which had none. The descriptors of the
 * object's other pages are filled; that of @page need not be yet.
 * False: no memory, and nothing has changed.
 */
bool object_index_add(struct object_index *ix, const struct handle *h, page_nr page);
/* The handle's page is @now instead of @old. */
void object_index_swing(struct object_index *ix, const struct handle *h, page_nr old, page_nr now);
/* The handle, which had @page, has none any more. */
void object_index_remove(struct object_index *ix, const struct handle *h, page_nr page);

/* Pages of the object of @h. */
uint64_t object_index_nr(const struct object_index *ix, const struct handle *h);

/*
 * Where a walk over the pages of a range stands. Few extents for the range:
 * each is looked at, and put at the end of the object's list, where new ones
 * go too. Many: each that the range may have is looked for.
 */
struct object_walk {
    uint32_t first, last; /* indexes, inclusive */
    uint64_t next_base;   /* by base: the next one to look for */
    uint32_t left;        /* by list: extents still to be looked at */
    bool by_list;
};

/* Begin a walk over those indexes of the object of @h that have pages now. */
void object_walk_begin(const struct object_index *ix, const struct handle *h, uint32_t first,
                       uint32_t last, struct object_walk *walk_out);
/*
 * Up to EXTENT_PAGES more of them, after looking in few places: *@nr_out may
 * be 0. True: the walk is not over. Pages may come and go between steps;
 * what was there all the time is found. Walks over one object must not be
 * mixed: a second one begins when the first is over, or runs from its
 * beginning to its end between two steps of the first.
 */
bool object_walk_step(struct object_index *ix, const struct handle *h, struct object_walk *walk,
                      uint32_t indexes_out[EXTENT_PAGES], unsigned *nr_out);

/*
 * Count and links of every record and extent. NULL: all agrees, and *@nr_pages_out is how many
 * pages there are; else what does not. For engine_check().
 */
const char *object_index_check(const struct object_index *ix, uint64_t *nr_pages_out);
/* Is the index of @h among the object's pages? */
bool object_index_has(const struct object_index *ix, const struct handle *h, page_nr page);

#endif /* XTM_ENGINE_OBJECT_INDEX_H */
