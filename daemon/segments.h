/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * segments.h - the store's memory: what the keeper has kept, or new.
 *
 * The keeper (util/notify.h) holds a descriptor of each segment over our
 * death, so a stop and start, an upgrade and a crash are all the same.
 */
#ifndef XTM_SEGMENTS_H
#define XTM_SEGMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/store/store.h"
#include "daemon/util/log.h"
#include "daemon/util/notify.h"

/* 3 TiB. With a quarter more descriptors for same-filled pages it is what an engine can take. */
#define SEGMENTS_PAGES_MOST (3u << 28)

/*
 * Open what was kept, or (nothing kept, or @fresh) make a new store and have it
 * kept. @memory_pages: most page frames; 0: what is available less a reserve,
 * or as before. Fewer than were kept are for the engine to reach. Says in the log what it did;
 * false: and why it could not.
 */
bool segments_open(struct log *log, const struct notify *notify, uint64_t memory_pages, bool fresh,
                   struct store **store_out);

/* How many pages to use when @available_kb of memory are free and nobody said. */
uint64_t segments_default_pages(uint64_t available_kb);

#endif /* XTM_SEGMENTS_H */
