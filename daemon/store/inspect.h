/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inspect.h - what an earlier daemon left, believed only where it is whole.
 *
 * Order: records first, for a page needs a live pool. What is not whole is
 * made dead and counted; nothing here fails for what it reads.
 */
#ifndef XTM_STORE_INSPECT_H
#define XTM_STORE_INSPECT_H

#include "daemon/store/pages.h"
#include "daemon/store/store.h"

/* The tables of META with the trusted copy of their sizes. */
struct tables {
    const struct layout_super *super;
    struct account_rec *accounts;
    struct pool_rec *pools;
    struct tombstone_rec *tombstones;
    struct ring_rec *rings;
};

void inspect_records(const struct tables *t, struct store_damage *damage);

/*
 * Every descriptor; then live pages are out of @p's depots, chunks without
 * any have given their memory back, and all others have memory throughout.
 * NULL; or why not: the system has no memory to fill a chunk's holes, or does not
 * say where they are.
 */
const char *inspect_pages(struct pages *p, const struct tables *t, struct store_damage *damage);

#endif /* XTM_STORE_INSPECT_H */
